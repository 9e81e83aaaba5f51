"""What of a queue keeps one workflow waiting: a pause, a limit with its holders, those ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.sql import Session, Statement

MOST = 1_000


@dataclass(frozen=True, slots=True)
class QueueWait:
    """`paused_reason` is None while it is not paused; `limit` says which limit is reached."""

    paused_reason: str | None = None
    limit: str = ""
    ahead: str = ""


HAS_PAUSES = Statement(
    postgres="SELECT to_regclass('{dboshub_queue_pause}') IS NOT NULL",
    sqlite="SELECT COUNT(*) FROM sqlite_master"
    " WHERE type = 'table' AND name = 'dboshub_queue_pause'",
)
PAUSE = Statement("SELECT reason FROM {dboshub_queue_pause} WHERE queue_name = :queue")
# A whole number, or no index serves the comparison; whatever period a row holds, no overflow.
RATE_SINCE = """
    CASE WHEN ABS(queue.rate_limit_period_sec) < 1e9
        THEN CAST(:now - queue.rate_limit_period_sec * 1000 AS bigint)
        WHEN queue.rate_limit_period_sec IS NOT NULL THEN 0
    END
"""
LIMITS = Statement(
    f"""
    SELECT queue.concurrency, queue.rate_limit_max, queue.rate_limit_period_sec, (
        SELECT COUNT(*) FROM (
            SELECT 1 AS one
            FROM {{workflow_status}}
            WHERE queue_name = :queue AND status = 'PENDING'
            LIMIT :most
        ) AS running
    ), (
        SELECT COUNT(*) FROM (
            SELECT 1 AS one
            FROM {{workflow_status}}
            WHERE queue_name = :queue
                AND rate_limited = TRUE
                AND started_at_epoch_ms > {RATE_SINCE}
            LIMIT :most
        ) AS started
    )
    FROM {{queues}} AS queue
    WHERE queue.name = :queue
    """
)
AHEAD = Statement(
    """
    SELECT COUNT(*) FROM (
        SELECT 1 AS one
        FROM {workflow_status}
        WHERE queue_name = :queue
            AND status = 'ENQUEUED'
            AND (priority, created_at) < (:priority, :created_at)
        LIMIT :most
    ) AS ahead
    """
)
IS_PARTITIONED = Statement("SELECT partition_queue FROM {queues} WHERE name = :name")
NAMES = Statement("SELECT name FROM {queues} ORDER BY name LIMIT :most")


def is_partitioned(session: Session, name: str) -> bool | None:
    """Whether a registered queue is partitioned; None if there is no such queue."""
    row = session.one(IS_PARTITIONED, name=name)
    return None if row is None else bool(row[0])


def queue_names(session: Session) -> tuple[str, ...]:
    """The registered queues, to choose from."""
    return tuple(name for (name,) in session.all(NAMES, most=MOST))


def queue_state(session: Session, row: WorkflowRow, now: int) -> QueueWait:
    """The queue as it looks to one enqueued workflow, in at most four statements."""
    if row.queue_name is None:
        return QueueWait()
    known = session.one(HAS_PAUSES)
    pause = session.one(PAUSE, queue=row.queue_name) if known and known[0] else None
    if pause is not None:
        return QueueWait(paused_reason=pause[0] or "")
    limits = session.one(LIMITS, queue=row.queue_name, now=now, most=MOST)
    place = session.one(
        AHEAD, queue=row.queue_name, priority=row.priority, created_at=row.created_at, most=MOST
    )
    ahead = place[0] if place else 0
    return QueueWait(limit=_limit(*limits) if limits else "", ahead=_counted(ahead))


def _limit(most: int | None, rate: int | None, period: Any, running: int, started: int) -> str:
    if most is not None and running >= most:
        return f"all {most} places of the queue are taken"
    if rate is not None and started >= rate:
        return f"its rate of {rate} in {period:g} s is used up"
    return ""


def _counted(number: int) -> str:
    if number >= MOST:
        return f"{MOST:,} or more"
    return f"{number:,}" if number else ""
