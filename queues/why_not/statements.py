"""What decides over claims, asked of some workflows and queues at once.

The conditions are the texts of the claim itself; only the source of their parameters differs. No
statement counts further than its caller asks.
"""

from __future__ import annotations

from dboshub.queues.storage.fragments import RUNNABLE
from dboshub.queues.storage.limited_claim import RECENTLY_STARTED, RUNNING
from dboshub.queues.storage.rows import QUEUE_COLUMNS
from dboshub.workflows.storage.fragments import ENQUEUED, LATEST_VERSION, PENDING
from dboshub.workflows.storage.membership.executors import LIVE
from dboshub.workflows.storage.sql import Statement
from dboshub.workflows.storage.translation import sqlite_text

SETTINGS = Statement(f"SELECT {QUEUE_COLUMNS} FROM {{queues}} WHERE name = ANY(:names)")

_CLAIMANTS = f"""
    SELECT DISTINCT application_name AS application, application_version AS version
    FROM {{dboshub_executor}}
    WHERE {LIVE}
"""


def _of(source: str, text: str, *names: str) -> str:
    """A text of the claim whose parameters are columns of `source`."""
    for name in names:
        text = text.replace(f":{name}", f"{source}.{name}")
    return text


# Which applications and versions of live executors a workflow's row admits.
ADMITTED = Statement(f"""
    SELECT workflow_uuid, claimant.application, claimant.version AS application_version
    FROM ({_CLAIMANTS}) AS claimant
    CROSS JOIN {{workflow_status}}
    WHERE workflow_uuid = ANY(:ids)
        AND {_of("claimant", RUNNABLE, "application", "version")}
""")


def _asked(text: str, **columns: str) -> Statement:
    """A statement in which ASKED stands for the JSON list ``:asked``, a table of these columns."""
    typed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    values = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name in columns)
    return Statement(
        postgres=text.replace(
            "ASKED", f"json_to_recordset(CAST(:asked AS json)) AS asked ({typed})"
        ),
        sqlite=sqlite_text(text).replace(
            "ASKED", f"(SELECT {values} FROM json_each(:asked)) AS asked"
        ),
    )


LATEST = _asked(
    f"SELECT asked.application, ({_of('asked', LATEST_VERSION, 'application')}) FROM ASKED",
    application="text",
)


def _usage(condition: str = "TRUE") -> Statement:
    """How much of the shared limits of queues is used, each as one application counts it."""
    columns = {"queue": "text", "application": "text", "partition": "text", "period": "bigint"}
    running, recent = (
        _of("asked", f"{text} AND {condition}", *columns) for text in (RUNNING, RECENTLY_STARTED)
    )
    return _asked(
        f"""
        SELECT asked.queue, asked.application, asked.partition,
            (SELECT count(*) FROM (SELECT 1 AS one {running} LIMIT :most) AS running),
            (SELECT count(*) FROM (SELECT 1 AS one {recent} LIMIT :most) AS recent)
        FROM ASKED
        """,
        **columns,
    )


_OF_PARTITION = "queue_partition_key = :partition"
USAGE = _usage()
PARTITION_USAGE = _usage(_OF_PARTITION)
# How many workflows of a queue each process runs, in all and of each partition.
HELD = Statement(f"""
    SELECT queue_name, incarnation, queue_partition_key, count(*)
    FROM (
        SELECT queue_name, queue_partition_key, substr(owner_xid, 5, 32) AS incarnation
        FROM {{workflow_status}}
        WHERE queue_name = ANY(:names) AND {PENDING} AND owner_xid LIKE 'hub:%'
        LIMIT :most
    ) AS held
    GROUP BY queue_name, incarnation, queue_partition_key
""")


def _of_line(sql: str) -> tuple[Statement, Statement]:
    """A statement on a whole queue, and one on a partition of it."""
    return (
        Statement(sql.replace("PARTITION", "")),
        Statement(sql.replace("PARTITION", f"AND {_OF_PARTITION}")),
    )


# What is claimed before a workflow, or at the same place, in the order of claims.
AHEAD = _of_line(f"""
    SELECT workflow_uuid, name, class_name, config_name, application_name, ({RUNNABLE}),
        (priority, created_at) < (:priority, :created_at)
    FROM {{workflow_status}}
    WHERE queue_name = :queue
        AND {ENQUEUED}
        AND (priority, created_at) <= (:priority, :created_at)
        AND workflow_uuid <> :id
        PARTITION
    ORDER BY priority, created_at
    LIMIT :most
""")
HOLDERS = _of_line(f"""
    SELECT workflow_uuid, name, application_name, started_at_epoch_ms
    {RUNNING} PARTITION
    ORDER BY created_at
    LIMIT :most
""")
# The start that has to leave the period before another one is allowed.
HOLDING_START = _of_line(f"""
    SELECT started_at_epoch_ms
    {RECENTLY_STARTED} PARTITION
    ORDER BY started_at_epoch_ms DESC
    LIMIT 1 OFFSET :before
""")
# How many of the first of a line are for a version, or for none.
OF_VERSION = Statement(f"""
    SELECT count(*), sum(CASE WHEN COALESCE(named, '') = :version THEN 1 ELSE 0 END)
    FROM (
        SELECT application_version AS named
        FROM {{workflow_status}}
        WHERE queue_name = :queue AND {ENQUEUED}
        ORDER BY priority, created_at
        LIMIT :most
    ) AS line
""")
