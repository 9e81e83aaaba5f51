"""Claims from a queue with shared limits: one claimer at a time.

A lock on the queue's row orders the claimers. Usage is counted in a later statement, whose snapshot
contains all claims made before the lock. A claimer that does not get the lock returns at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from dboshub.queues.engine.kafka import INTERNAL_QUEUES
from dboshub.queues.engine.limits import Usage, allowance, shares
from dboshub.queues.engine.ports import Claim
from dboshub.queues.engine.settings import QueueSettings
from dboshub.queues.storage.claim import ClaimRequest, claim, claim_partitions
from dboshub.queues.storage.fragments import NOW_MS, SKIP_LOCKED
from dboshub.queues.storage.rows import QUEUE_COLUMNS, queue_settings
from dboshub.workflows.storage.fragments import ENQUEUED, OWN_ROWS, PENDING
from dboshub.workflows.storage.sql import Session, Statement

LOCK_QUEUE = Statement(f"""
    SELECT {QUEUE_COLUMNS}
    FROM {{queues}}
    WHERE name = :queue
    {SKIP_LOCKED}
""")

# An internal queue has no row. On SQLite the transaction is the only writer.
LOCK_INTERNAL = Statement(
    postgres="SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))",
    sqlite="SELECT :name IS NOT NULL",
)

RUNNING = f"""
    FROM {{workflow_status}}
    WHERE queue_name = :queue
        AND {PENDING}
        AND {OWN_ROWS}
"""
# Cancelled and resumed workflows are not counted, because they have no start time.
RECENTLY_STARTED = f"""
    FROM {{workflow_status}}
    WHERE queue_name = :queue
        AND rate_limited = TRUE
        AND started_at_epoch_ms > {NOW_MS} - CAST(:period AS bigint)
        AND status NOT IN ('ENQUEUED', 'DELAYED')
        AND {OWN_ROWS}
"""

USAGE = Statement(f"SELECT (SELECT count(*) {RUNNING}), (SELECT count(*) {RECENTLY_STARTED})")

# Partitions that one claim looks at. The next claim goes on after them.
PARTITIONS_AT_ONCE = 8_192
# Each step of the recursion finds the next key by one index search. Partitions at their limit are
# left out here, so that they do not count against the LIMIT. No key is less than an empty one.
PARTITIONS = Statement(f"""
    WITH RECURSIVE enqueued (partition_key) AS (
        SELECT (
            SELECT queue_partition_key
            FROM {{workflow_status}}
            WHERE queue_name = :queue
                AND {ENQUEUED}
                AND queue_partition_key >= CAST(:first AS text)
            ORDER BY queue_partition_key
            LIMIT 1
        )
        UNION ALL
        SELECT (
            SELECT queue_partition_key
            FROM {{workflow_status}}
            WHERE queue_name = :queue
                AND {ENQUEUED}
                AND queue_partition_key > enqueued.partition_key
            ORDER BY queue_partition_key
            LIMIT 1
        )
        FROM enqueued
        WHERE enqueued.partition_key IS NOT NULL
    ),
    running AS MATERIALIZED (
        SELECT queue_partition_key, count(*) AS used {RUNNING}
        GROUP BY queue_partition_key
    ),
    recent AS MATERIALIZED (
        SELECT queue_partition_key, count(*) AS used {RECENTLY_STARTED}
        GROUP BY queue_partition_key
    )
    SELECT enqueued.partition_key, COALESCE(running.used, 0), COALESCE(recent.used, 0)
    FROM enqueued
    LEFT JOIN running ON running.queue_partition_key = enqueued.partition_key
    LEFT JOIN recent ON recent.queue_partition_key = enqueued.partition_key
    WHERE enqueued.partition_key IS NOT NULL
        AND COALESCE(running.used < CAST(:running_limit AS bigint), TRUE)
        AND COALESCE(recent.used < CAST(:recent_limit AS bigint), TRUE)
    LIMIT :most_partitions
""")


class Line(Protocol):
    """How the next workflows of a queue are claimed."""

    def claim(self, session: Session, request: ClaimRequest) -> Claim: ...
    def claim_partitions(
        self, session: Session, request: ClaimRequest, shares: Mapping[str, int]
    ) -> Claim: ...


class LineFromFirst:
    """Claims the next workflows, whatever stands between them."""

    def claim(self, session: Session, request: ClaimRequest) -> Claim:
        return Claim(workflows=claim(session, request))

    def claim_partitions(
        self, session: Session, request: ClaimRequest, shares: Mapping[str, int]
    ) -> Claim:
        return Claim(workflows=claim_partitions(session, request, shares))


FROM_FIRST = LineFromFirst()


@dataclass(slots=True)
class PartitionCursor:
    """Where a claimer's next look at the partitions of a queue begins; it ends at the last key."""

    first: str = ""
    at_once: int = PARTITIONS_AT_ONCE


def claim_within_limits(
    session: Session,
    request: ClaimRequest,
    cursor: PartitionCursor | None = None,
    line: Line = FROM_FIRST,
) -> Claim:
    """Claim what all limits of the queue allow, by the settings in its row.

    The settings in `request` are not used. A claim that looked at a part of the partitions moves
    the cursor. `line` claims what the limits allow. Needs a transaction of its own, on PostgreSQL
    with isolation level READ COMMITTED.
    """
    settings = _locked(session, request)
    if settings is None:
        return Claim(contended=True)
    asked = len(request.tokens)
    request = replace(request, queue=settings)
    most = allowance(settings, asked, _usage(session, request))
    if not most:
        return Claim(limited=True)
    if settings.partitioned:
        at = cursor or PartitionCursor()
        return _claim_partitions(session, request.limited_to(most), at, line)
    claimed = line.claim(session, request.limited_to(most))
    return replace(claimed, limited=len(claimed.workflows) == most < asked)


def _locked(session: Session, request: ClaimRequest) -> QueueSettings | None:
    """Lock the queue until the transaction ends; None if another claimer has locked it."""
    queue = request.queue.name
    internal = INTERNAL_QUEUES.get(queue)
    if internal is None:
        row = session.one(LOCK_QUEUE, queue=queue)
        return None if row is None else queue_settings(row)
    found = session.one(LOCK_INTERNAL, name=f"{request.claimant.application}:{queue}")
    return internal if found is not None and found[0] else None


def _claim_partitions(
    session: Session, request: ClaimRequest, cursor: PartitionCursor, line: Line
) -> Claim:
    asked = len(request.tokens)
    used = _partitions(session, request, cursor)
    # The last key is looked at again, for there may be none after it.
    cursor.first = used[-1][0] if len(used) == cursor.at_once > 1 else ""
    has_more = cursor.first != ""
    open_partitions = shares(request.queue, asked, used, request.running_here)
    if not open_partitions:
        return Claim(limited=not has_more, has_more=has_more)
    claimed = line.claim_partitions(session, request, open_partitions)
    has_more = has_more or claimed.has_more
    # If fewer were claimed than requested, partitions at their limit may still hold workflows.
    is_limited = len(claimed.workflows) < asked and not has_more
    return replace(claimed, limited=is_limited, has_more=has_more)


def _usage(session: Session, request: ClaimRequest) -> Usage:
    limiter = request.queue.limiter
    if request.queue.concurrency is None and limiter is None:
        return Usage()
    row = session.one(USAGE, period=limiter.period_ms if limiter else None, **request.parameters)
    assert row is not None
    return Usage(*row)


def _partitions(
    session: Session, request: ClaimRequest, cursor: PartitionCursor
) -> list[tuple[str, Usage]]:
    limiter = request.queue.partition_limiter
    rows = session.all(
        PARTITIONS,
        first=cursor.first,
        most_partitions=cursor.at_once,
        period=limiter.period_ms if limiter else None,
        running_limit=request.queue.partition_concurrency,
        recent_limit=limiter.limit if limiter else None,
        **request.parameters,
    )
    return [(key, Usage(running, recent)) for key, running, recent in rows]
