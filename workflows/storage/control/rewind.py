"""Rewind an ended workflow: it runs again from a step, and what it recorded after is deleted.

Children are not changed: a child that is started again under its id has already ended.
"""

from __future__ import annotations

from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.records import INTERNAL_QUEUE, TERMINAL
from dboshub.workflows.storage.fragments import RESTART
from dboshub.workflows.storage.sql import Session, Statement

LOCK = Statement(
    """
    SELECT status
    FROM {workflow_status}
    WHERE workflow_uuid = :workflow_id
    FOR NO KEY UPDATE
    """
)
ENQUEUE = Statement(
    f"""
    UPDATE {{workflow_status}}
    SET {RESTART},
        queue_partition_key = :partition_key,
        application_version = COALESCE(:application_version, application_version),
        output = NULL,
        error = NULL
    WHERE workflow_uuid = :workflow_id
    """
)
DELETE_RECORDED = (
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
    # Stream values stay, because readers may have read them; only the end marker is deleted.
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
    """Enqueue an ended workflow again and delete its steps from `start_step` on.

    Raises KeyError for an unknown id and DBOSException for a workflow that has not ended.
    """
    row = session.one(LOCK, workflow_id=workflow_id)
    if row is None:
        raise KeyError(workflow_id)
    if row[0] not in TERMINAL:
        raise DBOSException(
            f"Cannot rewind {workflow_id} ({row[0]}): only a workflow in a terminal state can be "
            "rewound, so cancel it first"
        )
    for statement in DELETE_RECORDED:
        session.run(statement, workflow_id=workflow_id, start_step=start_step)
    session.run(
        ENQUEUE,
        workflow_id=workflow_id,
        queue=queue or INTERNAL_QUEUE,
        partition_key=partition_key,
        application_version=application_version,
        now=now,
    )
