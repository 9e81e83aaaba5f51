"""Survey of an application's queues: settings, pause, and whether a workflow is enqueued.

It is the only statement of an idle process. By it a process finds workflows of programs that send
no notification, and settings that a person changed.
"""

from __future__ import annotations

from collections.abc import Sequence

from dboshub.queues.engine.kafka import KAFKA_QUEUE, ORDERED_QUEUE
from dboshub.queues.engine.ports import Survey
from dboshub.queues.storage.bounded_look import ROWS_AT_ONCE
from dboshub.queues.storage.fragments import RUNNABLE
from dboshub.queues.storage.rows import QUEUE_COLUMNS, queue_settings
from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.storage.fragments import ENQUEUED, OWN_ROWS
from dboshub.workflows.storage.sql import Session, Statement

_INTERVAL = "CAST(:kafka_interval AS double precision)"

# What the survey finds at the head of a line. Of a line that begins with ROWS_AT_ONCE workflows
# for others it does not know more.
NOTHING, RUNNABLE_HERE, UNKNOWN = 0, 1, 2

_LINE = f"""
    FROM {{workflow_status}}
    WHERE queue_name = queue.name AND {ENQUEUED}
    ORDER BY priority, created_at
"""
# Scalar subqueries with LIMIT, because the planner may execute EXISTS as a hash of all enqueued
# workflows.
SURVEY = Statement(f"""
    SELECT {QUEUE_COLUMNS},
        CASE
            WHEN (
                SELECT 1
                FROM (SELECT ({RUNNABLE}) AS is_runnable {_LINE} LIMIT :most) AS head
                WHERE is_runnable
                LIMIT 1
            ) IS NOT NULL THEN {RUNNABLE_HERE}
            WHEN (SELECT 1 {_LINE} LIMIT 1 OFFSET :most) IS NOT NULL THEN {UNKNOWN}
            ELSE {NOTHING}
        END,
        (SELECT 1 FROM {{dboshub_queue_pause}} WHERE queue_name = queue.name) IS NOT NULL
    FROM (
        SELECT {QUEUE_COLUMNS}, 1 AS rank
        FROM {{queues}}
        WHERE {OWN_ROWS}
        UNION ALL
        SELECT '{INTERNAL_QUEUE}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1.0, NULL, 0
        UNION ALL
        SELECT '{KAFKA_QUEUE}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, {_INTERVAL}, NULL, 1
        WHERE {_INTERVAL} IS NOT NULL
        UNION ALL
        SELECT '{ORDERED_QUEUE}', NULL, NULL, NULL, NULL, 1, NULL, NULL, NULL, {_INTERVAL}, NULL, 1
        WHERE {_INTERVAL} IS NOT NULL
    ) AS queue
    ORDER BY rank, name
""")


def survey(
    session: Session,
    application: str,
    version: str,
    *,
    kafka_interval: float | None = None,
    refused: Sequence[str] = (),
) -> list[Survey]:
    """Every queue that this application may claim from, the internal one first.

    `kafka_interval` is the polling interval of the Kafka queues in seconds; with None they are left
    out. `refused` are the claim keys of what this process cannot run.
    """
    return [
        Survey(
            queue=queue_settings(tuple(row)),
            ready=found != NOTHING,
            paused=bool(paused),
            begins_with_others=found == UNKNOWN,
        )
        for *row, found, paused in session.all(
            SURVEY,
            application=application,
            version=version,
            kafka_interval=kafka_interval,
            refused=session.ids(refused),
            most=ROWS_AT_ONCE,
        )
    ]
