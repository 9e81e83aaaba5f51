"""Rewind a finished workflow: the same id runs again from a step, what came after is forgotten.

Children stay as they are: a child started again under its old id is found finished.
"""

from __future__ import annotations

from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.storage.control.resume import INTERNAL_QUEUE
from dboshub.workflows.storage.sql import Session, Statement

LOCK = Statement(
    postgres="""
        SELECT status
        FROM {workflow_status}
        WHERE workflow_uuid = :workflow_id
        FOR NO KEY UPDATE
    """,
    sqlite="SELECT status FROM {workflow_status} WHERE workflow_uuid = :workflow_id",
)
ENQUEUE = Statement(
    """
    UPDATE {workflow_status}
    SET status = 'ENQUEUED',
        queue_name = :queue,
        queue_partition_key = :partition_key,
        application_version = COALESCE(:application_version, application_version),
        recovery_attempts = 0,
        workflow_deadline_epoch_ms = NULL,
        deduplication_id = NULL,
        started_at_epoch_ms = NULL,
        completed_at = NULL,
        owner_xid = NULL,
        output = NULL,
        error = NULL,
        updated_at = :now
    WHERE workflow_uuid = :workflow_id
    """
)
FORGET = (
    Statement("DELETE FROM {workflow_output} WHERE workflow_uuid = :workflow_id"),
    Statement(
        """
        DELETE FROM {operation_outputs}
        WHERE workflow_uuid = :workflow_id AND function_id >= :start_step
        """
    ),
    Statement(
        """
        DELETE FROM {workflow_events_history}
        WHERE workflow_uuid = :workflow_id AND function_id >= :start_step
        """
    ),
    Statement("DELETE FROM {workflow_events} WHERE workflow_uuid = :workflow_id"),
    Statement(
        """
        INSERT INTO {workflow_events} (workflow_uuid, key, value, serialization)
        SELECT workflow_uuid, key, value, serialization
        FROM {workflow_events_history} AS entry
        WHERE workflow_uuid = :workflow_id
            AND function_id = (
                SELECT MAX(later.function_id)
                FROM {workflow_events_history} AS later
                WHERE later.workflow_uuid = :workflow_id AND later.key = entry.key
            )
        """
    ),
    # Values that were read cannot be unread; only the mark at which readers stop goes.
    Statement(
        """
        DELETE FROM {streams}
        WHERE workflow_uuid = :workflow_id
            AND function_id >= :start_step
            AND value = '"__DBOS_STREAM_CLOSED__"'
        """
    ),
    Statement(
        """
        DELETE FROM {notifications}
        WHERE destination_uuid = :workflow_id
            AND (consumed = FALSE OR consumed_by_function_id >= :start_step)
        """
    ),
)
OVER = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


def rewind(
    session: Session,
    workflow_id: str,
    *,
    start_step: int,
    application_version: str | None = None,
    queue: str | None = None,
    partition_key: str | None = None,
    now: int,
) -> None:
    """Enqueue a finished workflow again, its steps from `start_step` on deleted.

    Raises KeyError for an unknown id and DBOSException for a workflow that has not ended.
    """
    row = session.one(LOCK, workflow_id=workflow_id)
    if row is None:
        raise KeyError(workflow_id)
    if row[0] not in OVER:
        raise DBOSException(
            f"workflow {workflow_id} is {row[0]}: only one that has ended can be rewound; "
            "cancel it first"
        )
    for statement in FORGET:
        session.run(statement, workflow_id=workflow_id, start_step=start_step)
    session.run(
        ENQUEUE,
        workflow_id=workflow_id,
        queue=queue or INTERNAL_QUEUE,
        partition_key=partition_key,
        application_version=application_version,
        now=now,
    )
