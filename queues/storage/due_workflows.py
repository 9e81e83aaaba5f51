"""Enqueue delayed workflows that are due, and cancel workflows whose deadline has passed.

A statement changes at most MAX_ROWS rows and skips locked ones.
"""

from __future__ import annotations

from collections.abc import Callable

from dboshub.queues.storage.fragments import SKIP_LOCKED
from dboshub.workflows.storage.fragments import ACTIVE, OWN_ROWS, RETIRE
from dboshub.workflows.storage.sql import Session, Statement

MAX_ROWS = 1_000

_IS_DUE = "status = 'DELAYED' AND delay_until_epoch_ms <= :now"
_DUE = f"""
    SELECT workflow_uuid
    FROM {{workflow_status}}
    WHERE {_IS_DUE} AND {OWN_ROWS}
    ORDER BY delay_until_epoch_ms
    LIMIT :most
"""
# A debounced workflow loses its deduplication id here: the next call starts a new workflow.
_RELEASE = """
    UPDATE {workflow_status}
    SET status = 'ENQUEUED',
        deduplication_id = CASE WHEN is_debounced THEN NULL ELSE deduplication_id END
"""
DUE = Statement(_DUE)
RELEASE = Statement(f"""
    {_RELEASE}
    WHERE workflow_uuid IN ({_DUE} {SKIP_LOCKED}) AND {_IS_DUE}
    RETURNING queue_name
""")
RELEASE_ONE = Statement(f"""
    {_RELEASE}
    WHERE workflow_uuid = :id AND {_IS_DUE}
    RETURNING queue_name
""")
POSTPONE = Statement(f"""
    UPDATE {{workflow_status}}
    SET delay_until_epoch_ms = :until
    WHERE workflow_uuid = :id AND {_IS_DUE}
""")

CANCEL_OVERDUE = Statement(f"""
    UPDATE {{workflow_status}}
    SET status = 'CANCELLED', {RETIRE}
    WHERE workflow_uuid IN (
        SELECT workflow_uuid
        FROM {{workflow_status}}
        WHERE {ACTIVE}
            AND workflow_deadline_epoch_ms <= :now
            AND {OWN_ROWS}
        ORDER BY workflow_deadline_epoch_ms
        LIMIT :most
        {SKIP_LOCKED}
    )
        AND {ACTIVE}
        AND workflow_deadline_epoch_ms <= :now
    RETURNING workflow_uuid
""")


def release_due(session: Session, application: str, *, now: int) -> list[str]:
    """Enqueue one batch of delayed workflows that are due; return the queue name of each."""
    rows = session.all(RELEASE, application=application, now=now, most=MAX_ROWS)
    return [row[0] for row in rows]


def due(session: Session, application: str, *, now: int) -> list[str]:
    """The ids of one batch of delayed workflows that are due."""
    return [row[0] for row in session.all(DUE, application=application, now=now, most=MAX_ROWS)]


def release_one(session: Session, workflow_id: str, *, now: int) -> list[str]:
    """Enqueue a delayed workflow that is due; return the name of its queue, if it was."""
    return [row[0] for row in session.all(RELEASE_ONE, id=workflow_id, now=now)]


def postpone(session: Session, workflow_id: str, *, now: int, until: int) -> None:
    """Let a delayed workflow that is due wait longer."""
    session.run(POSTPONE, id=workflow_id, now=now, until=until)


def cancel_overdue(session: Session, application: str, *, now: int) -> list[str]:
    """Cancel one batch of workflows whose deadline has passed; return their ids."""
    rows = session.all(CANCEL_OVERDUE, application=application, now=now, most=MAX_ROWS)
    return [row[0] for row in rows]


def in_batches(one_batch: Callable[[], list[str]]) -> list[str]:
    """Call `one_batch` until it returns fewer than MAX_ROWS results; return all of them."""
    found: list[str] = []
    while True:
        batch = one_batch()
        found += batch
        if len(batch) < MAX_ROWS:
            return found
