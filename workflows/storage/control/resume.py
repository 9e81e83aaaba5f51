"""Resume workflows from their first unrecorded step, and read the statuses of many.

A running workflow is taken away from its executor: resuming clears `owner_xid`.
"""

from __future__ import annotations

from collections.abc import Iterable

from dboshub.workflows.storage.control.cancel import chunks
from dboshub.workflows.storage.sql import Session, Statement

INTERNAL_QUEUE = "_dbos_internal_queue"

RESUME = Statement(
    postgres="""
        UPDATE {workflow_status}
        SET status = 'ENQUEUED',
            queue_name = :queue,
            recovery_attempts = 0,
            workflow_deadline_epoch_ms = NULL,
            deduplication_id = NULL,
            started_at_epoch_ms = NULL,
            completed_at = NULL,
            owner_xid = NULL,
            updated_at = :now
        WHERE workflow_uuid IN (
            SELECT workflow_uuid
            FROM {workflow_status}
            WHERE workflow_uuid = ANY(:ids)
                AND status NOT IN ('SUCCESS', 'ERROR')
            ORDER BY workflow_uuid
            FOR NO KEY UPDATE
        )
            AND status NOT IN ('SUCCESS', 'ERROR')
        RETURNING workflow_uuid
    """,
    sqlite="""
        UPDATE {workflow_status}
        SET status = 'ENQUEUED',
            queue_name = :queue,
            recovery_attempts = 0,
            workflow_deadline_epoch_ms = NULL,
            deduplication_id = NULL,
            started_at_epoch_ms = NULL,
            completed_at = NULL,
            owner_xid = NULL,
            updated_at = :now
        WHERE workflow_uuid IN (SELECT value FROM json_each(:ids))
            AND status NOT IN ('SUCCESS', 'ERROR')
        RETURNING workflow_uuid
    """,
)

STATUSES = Statement(
    postgres="""
        SELECT workflow_uuid, status
        FROM {workflow_status}
        WHERE workflow_uuid = ANY(:ids)
    """,
    sqlite="""
        SELECT workflow_uuid, status
        FROM {workflow_status}
        WHERE workflow_uuid IN (SELECT value FROM json_each(:ids))
    """,
)


def resume(
    session: Session, ids: Iterable[str], *, queue: str | None = None, now: int
) -> list[str]:
    """Enqueue all but SUCCESS and ERROR again; return those resumed, in the order given."""
    wanted = list(dict.fromkeys(ids))
    resumed = {
        row[0]
        for chunk in chunks(wanted)
        for row in session.all(
            RESUME, ids=session.ids(chunk), queue=queue or INTERNAL_QUEUE, now=now
        )
    }
    return [each for each in wanted if each in resumed]


def statuses(session: Session, ids: Iterable[str]) -> dict[str, str]:
    """The status of each id that exists; ids missing from the answer have no row."""
    return {
        workflow_id: status
        for chunk in chunks(list(dict.fromkeys(ids)))
        for workflow_id, status in session.all(STATUSES, ids=session.ids(chunk))
    }
