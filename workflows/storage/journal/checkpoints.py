"""Step checkpoints: written only by the execution that owns the workflow's row."""

from __future__ import annotations

from dboshub.workflows.engine.journal.writes import CONFLICT, DONE, REFUSED, Answer, StepWrite
from dboshub.workflows.storage.journal.step_columns import STEP_COLUMNS, STEP_PARAMETERS, step_row
from dboshub.workflows.storage.sql import Session, Statement

# Every fenced write locks the workflow's row with this statement first.
FENCE = Statement(
    """
    SELECT status
    FROM {workflow_status}
    WHERE workflow_uuid = :workflow_id AND owner_xid = :owner
    FOR NO KEY UPDATE
    """
)

INSERT_STEP = Statement(
    f"""
    INSERT INTO {{operation_outputs}} ({STEP_COLUMNS})
    VALUES ({STEP_PARAMETERS})
    ON CONFLICT (workflow_uuid, function_id) DO NOTHING
    """
)

RECORDED_STEP = Statement(
    """
    SELECT function_name, completed_at_epoch_ms, child_workflow_id
    FROM {operation_outputs}
    WHERE workflow_uuid = :workflow_id AND function_id = :function_id
    """
)


def owns(session: Session, workflow_id: str, owner: str) -> bool:
    """Lock the workflow's row; return whether `owner` is its owner token."""
    return session.one(FENCE, workflow_id=workflow_id, owner=owner) is not None


def record_step(session: Session, write: StepWrite, now: int) -> Answer:
    """Record a checkpoint if its execution owns the row, or else refuse it."""
    if not owns(session, write.workflow_id, write.owner):
        return REFUSED
    return DONE if record(session, write, now) else compare_recorded(session, write)


def record(session: Session, write: StepWrite, now: int) -> bool:
    """Insert the checkpoint; return False if the step has one already."""
    return bool(session.run(INSERT_STEP, **step_row(write), now=now))


def compare_recorded(session: Session, write: StepWrite) -> Answer:
    """DONE if the step's checkpoint is this write, made before; CONFLICT if it is another one."""
    recorded = session.one(
        RECORDED_STEP, workflow_id=write.workflow_id, function_id=write.function_id
    )
    is_same = recorded == (write.name, write.completed_at, write.child_id)
    return DONE if is_same else CONFLICT
