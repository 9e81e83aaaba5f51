"""What time does to workflows: delays end, deadlines pass. At most 1,000 rows a statement."""

from __future__ import annotations

from collections.abc import Callable

from dboshub.queues.storage.fragments import OURS, statement
from dboshub.workflows.storage.sql import Session

BATCH = 1_000

# A debounced row gives up its deduplication id here: the next call starts a new workflow.
RELEASE = statement(f"""
    UPDATE {{workflow_status}}
    SET status = 'ENQUEUED',
        deduplication_id = CASE WHEN is_debounced THEN NULL ELSE deduplication_id END
    WHERE workflow_uuid IN (
        SELECT workflow_uuid
        FROM {{workflow_status}}
        WHERE status = 'DELAYED'
            AND delay_until_epoch_ms <= :now
            AND {OURS}
        ORDER BY delay_until_epoch_ms
        LIMIT :most
        LOCKED
    )
        AND status = 'DELAYED'
        AND delay_until_epoch_ms <= :now
    RETURNING queue_name
""")

CANCEL_OVERDUE = statement(f"""
    UPDATE {{workflow_status}}
    SET status = 'CANCELLED',
        queue_name = NULL,
        deduplication_id = NULL,
        started_at_epoch_ms = NULL,
        owner_xid = NULL,
        updated_at = :now,
        completed_at = :now
    WHERE workflow_uuid IN (
        SELECT workflow_uuid
        FROM {{workflow_status}}
        WHERE status IN ('ENQUEUED', 'PENDING', 'DELAYED')
            AND workflow_deadline_epoch_ms <= :now
            AND {OURS}
        ORDER BY workflow_deadline_epoch_ms
        LIMIT :most
        LOCKED
    )
        AND status IN ('ENQUEUED', 'PENDING', 'DELAYED')
        AND workflow_deadline_epoch_ms <= :now
    RETURNING workflow_uuid
""")


def release_due(session: Session, application: str, *, now: int) -> list[str]:
    """Enqueue one batch of delayed workflows that are due; one queue name for each."""
    rows = session.all(RELEASE, application=application, now=now, most=BATCH)
    return [row[0] for row in rows]


def cancel_overdue(session: Session, application: str, *, now: int) -> list[str]:
    """Cancel one batch of workflows whose deadline has passed; their ids."""
    rows = session.all(CANCEL_OVERDUE, application=application, now=now, most=BATCH)
    return [row[0] for row in rows]


def in_batches(one_batch: Callable[[], list[str]]) -> list[str]:
    """Repeat until a batch is not full."""
    found: list[str] = []
    while True:
        batch = one_batch()
        found += batch
        if len(batch) < BATCH:
            return found
