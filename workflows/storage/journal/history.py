"""A workflow's recorded steps, and the failed attempts of its steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dboshub.workflows.engine.records import Checkpoint
from dboshub.workflows.storage.sql import Session, Statement

_COLUMNS = """function_id, function_name, output, error, serialization, child_workflow_id,
        started_at_epoch_ms, completed_at_epoch_ms"""
HISTORY = Statement(
    f"""
    SELECT {_COLUMNS}
    FROM {{operation_outputs}}
    WHERE workflow_uuid = :workflow_id AND function_id > :after
    ORDER BY function_id
    LIMIT :limit
    """
)

HISTORIES = Statement(
    postgres=f"""
    SELECT wanted.id, step.*
    FROM unnest(CAST(:ids AS text[])) AS wanted (id)
    CROSS JOIN LATERAL (
        SELECT {_COLUMNS}
        FROM {{operation_outputs}}
        WHERE workflow_uuid = wanted.id AND function_id > 0
        ORDER BY function_id
        LIMIT :most
    ) AS step
    """,
    sqlite=HISTORY.sqlite,
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
    rows = session.all(statement, workflow_id=workflow_id, after=after, limit=limit)
    return [_checkpoint(row) for row in rows]


def outline(session: Session, workflow_id: str, *, after: int, limit: int) -> list[Checkpoint]:
    """The recorded steps after a step id, by id, without payloads."""
    return history(session, workflow_id, after=after, limit=limit, load_output=False)


def histories(session: Session, ids: Sequence[str], *, most: int) -> dict[str, list[Checkpoint]]:
    """The first recorded steps of each of these workflows, at most so many, by id."""
    found: dict[str, list[Checkpoint]] = {each: [] for each in ids}
    if session.vendor == "sqlite":  # a statement costs no round trip
        return {each: history(session, each, after=0, limit=most) for each in found}
    for workflow_id, *row in session.all(HISTORIES, ids=session.ids(found), most=most):
        found[workflow_id].append(_checkpoint(row))
    return found


def _checkpoint(row: Sequence[Any]) -> Checkpoint:
    return Checkpoint(
        function_id=row[0],
        name=row[1],
        output=row[2],
        error=row[3],
        serialization=row[4],
        child_id=row[5],
        started_at=row[6],
        completed_at=row[7],
    )


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
