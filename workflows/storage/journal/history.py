"""A workflow's recorded steps, and the failed attempts of its steps."""

from __future__ import annotations

from dboshub.workflows.engine.records import Checkpoint
from dboshub.workflows.storage.sql import Session, Statement

HISTORY = Statement(
    """
    SELECT function_id, function_name, output, error, serialization, child_workflow_id,
        started_at_epoch_ms, completed_at_epoch_ms
    FROM {operation_outputs}
    WHERE workflow_uuid = :workflow_id AND function_id > :after
    ORDER BY function_id
    LIMIT :limit
    """
)

OUTLINE = Statement(
    """
    SELECT function_id, function_name, NULL, NULL, serialization, child_workflow_id,
        started_at_epoch_ms, completed_at_epoch_ms
    FROM {operation_outputs}
    WHERE workflow_uuid = :workflow_id AND function_id > :after
    ORDER BY function_id
    LIMIT :limit
    """
)

RECORD_FAILED_ATTEMPT = Statement(
    """
    INSERT INTO {dboshub_attempt} (
        workflow_uuid, function_id, attempt, error, message, failed_at, next_at
    )
    VALUES (:workflow_id, :function_id, :attempt, :error, :message, :failed_at, :next_at)
    ON CONFLICT (workflow_uuid, function_id, attempt) DO UPDATE
    SET error = excluded.error,
        message = excluded.message,
        failed_at = excluded.failed_at,
        next_at = excluded.next_at
    """
)

# Python numbers steps from 1, TypeScript from 0.
BEFORE_FIRST_STEP = -1


def history(
    session: Session, workflow_id: str, *, after: int, limit: int, load_output: bool = True
) -> list[Checkpoint]:
    """The recorded steps after a step id, by id. Without `load_output` payloads are None."""
    statement = HISTORY if load_output else OUTLINE
    return [
        Checkpoint(
            function_id=row[0],
            name=row[1],
            output=row[2],
            error=row[3],
            serialization=row[4],
            child_id=row[5],
            started_at=row[6],
            completed_at=row[7],
        )
        for row in session.all(statement, workflow_id=workflow_id, after=after, limit=limit)
    ]


def steps(
    session: Session,
    workflow_id: str,
    *,
    load_output: bool,
    limit: int | None,
    offset: int | None,
) -> list[Checkpoint]:
    """The recorded steps of a workflow by id, without the first `offset`, at most `limit`."""
    skipped = offset or 0
    found = history(
        session,
        workflow_id,
        after=BEFORE_FIRST_STEP,
        limit=(limit or 2**31 - 1) + skipped,
        load_output=load_output,
    )
    return found[skipped:]


def record_failed_attempt(
    session: Session,
    workflow_id: str,
    function_id: int,
    *,
    attempt: int,
    error: str | None,
    message: str,
    failed_at: int,
    next_at: int | None,
) -> None:
    """Record a failed attempt of a step, and when the next one is due. A repetition overwrites."""
    session.run(
        RECORD_FAILED_ATTEMPT,
        workflow_id=workflow_id,
        function_id=function_id,
        attempt=attempt,
        error=error,
        message=message,
        failed_at=failed_at,
        next_at=next_at,
    )
