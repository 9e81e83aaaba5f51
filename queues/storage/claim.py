"""Taking enqueued workflows: ENQUEUED to PENDING, one owner token for each.

A claim skips rows in other hands, so claimers of a queue without shared limits never wait for
each other. Who may claim how many is decided before, in `turns`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dboshub.queues.storage.fragments import ENQUEUED, PENDING, RUNNABLE, statement
from dboshub.queues.storage.rows import CLAIMED_COLUMNS, HAS_STEPS, claimed_workflows
from dboshub.workflows.engine.records import ClaimedWorkflow
from dboshub.workflows.storage.sql import Session, Statement

_ENQUEUED = f"""
    SELECT workflow_uuid, priority, created_at, updated_at
    FROM {{workflow_status}}
    WHERE queue_name = :queue
        AND {ENQUEUED}
        AND {RUNNABLE}
        AND NOT EXISTS (SELECT 1 FROM {{dboshub_queue_pause}} WHERE queue_name = :queue)
"""
_NEXT = f"""
    {_ENQUEUED}
    ORDER BY priority, created_at
    LIMIT :most
    LOCKED
"""
_NEXT_OF_PARTITIONS = f"""
    SELECT next.workflow_uuid, next.priority, next.created_at, next.updated_at
    FROM unnest(CAST(:keys AS text[]), CAST(:allowed AS bigint[])) AS share (key, allowed)
    CROSS JOIN LATERAL (
        {_ENQUEUED}
            AND queue_partition_key = share.key
        ORDER BY priority, created_at
        LIMIT share.allowed
        LOCKED
    ) AS next
    LIMIT :most
"""
_NEXT_OF_PARTITION = f"""
    {_ENQUEUED}
        AND queue_partition_key = :key
    ORDER BY priority, created_at
    LIMIT :most
"""

_TOKEN = "(CAST(:tokens AS text[]))[candidate.place]"
_SQLITE_TOKEN = "json_extract(:tokens, '$[' || (candidate.place - 1) || ']')"

# What a concurrent claimer recorded and handed back may be younger than this statement's
# view of the checkpoints, but not than its view of the locked row: every change of hands
# moves updated_at away from created_at.
_HISTORY = f"(candidate.updated_at <> candidate.created_at OR {HAS_STEPS})"


def _claim(candidates: str, token: str, history: str) -> str:
    return f"""
        WITH chosen AS MATERIALIZED ({candidates}),
        candidate AS (
            SELECT chosen.*, row_number() OVER (ORDER BY priority, created_at) AS place
            FROM chosen
        )
        UPDATE {{workflow_status}}
        SET status = 'PENDING',
            owner_xid = {token},
            executor_id = :executor,
            application_name = :application,
            application_version = :version,
            recovery_attempts = recovery_attempts + 1,
            rate_limited = CAST(:rate_limited AS boolean),
            started_at_epoch_ms = NOW,
            updated_at = NOW,
            workflow_deadline_epoch_ms = CASE
                WHEN workflow_deadline_epoch_ms IS NOT NULL THEN workflow_deadline_epoch_ms
                WHEN workflow_timeout_ms > 9223372036854775807 - NOW THEN 9223372036854775807
                ELSE workflow_timeout_ms + NOW
            END
        FROM candidate
        WHERE workflow_status.workflow_uuid = candidate.workflow_uuid
            AND status = 'ENQUEUED'
        RETURNING {CLAIMED_COLUMNS.replace("HISTORY", history)}
    """


CLAIM = Statement(
    postgres=statement(_claim(_NEXT, _TOKEN, _HISTORY)).postgres,
    sqlite=statement(_claim(_NEXT, _SQLITE_TOKEN, HAS_STEPS)).sqlite,
)
# SQLite has no LATERAL, and no round trips either: it is asked for each partition by itself.
CLAIM_PARTITIONS = Statement(
    postgres=statement(_claim(_NEXT_OF_PARTITIONS, _TOKEN, _HISTORY)).postgres,
    sqlite=statement(_claim(_NEXT_OF_PARTITION, _SQLITE_TOKEN, HAS_STEPS)).sqlite,
)

# Tokens have no index: the queue's running rows are few.
_READ_BACK = f"""
    SELECT {CLAIMED_COLUMNS.replace("HISTORY", HAS_STEPS)}
    FROM {{workflow_status}}
    WHERE queue_name = :queue
        AND {PENDING}
        AND owner_xid
"""
READ_BACK = Statement(
    postgres=statement(f"{_READ_BACK} = ANY(:tokens)").postgres,
    sqlite=statement(f"{_READ_BACK} IN (SELECT value FROM json_each(:tokens))").sqlite,
)


class Claimant:
    """In whose name rows are workflow_status."""

    __slots__ = ("parameters",)

    def __init__(self, application: str, version: str, executor: str) -> None:
        self.parameters = {"application": application, "version": version, "executor": executor}


def claim(
    session: Session,
    claimant: Claimant,
    queue: str,
    tokens: Sequence[str],
    *,
    rate_limited: bool = False,
    now: int | None = None,
) -> list[ClaimedWorkflow]:
    """Take the most urgent workflows of a queue, at most one per token."""
    return claimed_workflows(
        session.all(
            CLAIM,
            queue=queue,
            most=len(tokens),
            tokens=session.ids(tokens),
            rate_limited=rate_limited,
            now=now,
            **claimant.parameters,
        )
    )


def claim_partitions(
    session: Session,
    claimant: Claimant,
    queue: str,
    tokens: Sequence[str],
    shares: Mapping[str, int],
    *,
    rate_limited: bool = False,
    now: int | None = None,
) -> list[ClaimedWorkflow]:
    """Take from each partition at most its share, at most one workflow per token in all."""
    given = {"queue": queue, "rate_limited": rate_limited, "now": now, **claimant.parameters}
    if session.vendor == "postgresql":
        rows = session.all(
            CLAIM_PARTITIONS,
            most=len(tokens),
            tokens=session.ids(tokens),
            keys=session.ids(shares.keys()),
            allowed=session.ids(shares.values()),
            **given,
        )
        return claimed_workflows(rows)
    rows = []
    for key, share in shares.items():
        left = tokens[len(rows) :]
        if not left:
            break
        most = min(share, len(left))
        rows += session.all(
            CLAIM_PARTITIONS, key=key, most=most, tokens=session.ids(left[:most]), **given
        )
    return claimed_workflows(rows)


def read_back(session: Session, queue: str, tokens: Sequence[str]) -> list[ClaimedWorkflow]:
    """What was claimed under these tokens, by a claim whose reply was lost."""
    return claimed_workflows(session.all(READ_BACK, queue=queue, tokens=session.ids(tokens)))
