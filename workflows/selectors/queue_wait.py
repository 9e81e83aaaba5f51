"""Why a queue keeps a workflow waiting: a pause, a reached limit, or workflows ahead of it."""

from __future__ import annotations

from dataclasses import dataclass

from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.selectors.tables import QUEUE_PAUSES, has_table
from dboshub.workflows.storage.sql import Session, Statement

MAX_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class QueueWait:
    """`paused_reason` is None while the queue is not paused, empty if no reason was given.

    `full_at` is the queue's concurrency, and `rate` its starts in so many seconds, where reached.
    `ahead` counts the workflows that are claimed earlier, up to MAX_COUNTED.
    """

    paused_reason: str | None = None
    full_at: int | None = None
    rate: tuple[int, float] | None = None
    ahead: int = 0


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


def queue_wait(session: Session, row: WorkflowRow, now: int) -> QueueWait:
    """What holds an enqueued workflow back on its queue, in at most four statements."""
    if row.queue_name is None:
        return QueueWait()
    is_pausable = has_table(session, QUEUE_PAUSES)
    pause = session.one(PAUSE, queue=row.queue_name) if is_pausable else None
    if pause is not None:
        return QueueWait(paused_reason=pause[0] or "")
    limits = session.one(LIMITS, queue=row.queue_name, now=now, most=MAX_COUNTED)
    place = session.one(
        AHEAD,
        queue=row.queue_name,
        priority=row.priority,
        created_at=row.created_at,
        most=MAX_COUNTED,
    )
    ahead = place[0] if place else 0
    if limits is None:
        return QueueWait(ahead=ahead)
    concurrency, rate, period, running, started = limits
    return QueueWait(
        full_at=concurrency if concurrency is not None and running >= concurrency else None,
        rate=(rate, period) if rate is not None and started >= rate else None,
        ahead=ahead,
    )
