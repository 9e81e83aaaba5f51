"""Change what a new fork was given: its input, or the result of a step that it replays."""

from __future__ import annotations

from dboshub.workflows.storage.sql import Session, Statement

SET_INPUT = Statement("UPDATE {workflow_input} SET inputs = :inputs WHERE workflow_uuid = :id")
SET_FORMAT = Statement(
    "UPDATE {workflow_status} SET serialization = :format WHERE workflow_uuid = :id"
)
SET_RESULT = Statement(
    """
    UPDATE {operation_outputs}
    SET output = :output, error = NULL, serialization = :format
    WHERE workflow_uuid = :id AND function_id = :step
    RETURNING function_id
    """
)


def set_input(session: Session, workflow_id: str, inputs: str, format_: str | None) -> None:
    """Replace the arguments, which are in the format that the row of the workflow says then."""
    session.run(SET_INPUT, id=workflow_id, inputs=inputs)
    session.run(SET_FORMAT, id=workflow_id, format=format_)


def set_result(
    session: Session, workflow_id: str, step: int, output: str, format_: str | None
) -> bool:
    """Replace what a step returned or raised; False if no such step is recorded."""
    found = session.all(SET_RESULT, id=workflow_id, step=step, output=output, format=format_)
    return bool(found)
