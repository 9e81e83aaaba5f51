"""Wait for the outcome of a workflow, whichever process executes it."""

from __future__ import annotations

from typing import Any

from dboshub.workflows.engine.errors import (
    DBOSAwaitedWorkflowCancelledError,
    DBOSAwaitedWorkflowMaxRecoveryAttemptsExceeded,
    DBOSNonExistentWorkflowError,
    DBOSWorkflowCancelledError,
)
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.records import Ended, Status
from dboshub.workflows.engine.runtime.activity import CurrentActivity
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.waiting.waits import Key, Waiter


def outcome_of(
    engine: Engine, workflow_id: str, execution: Execution | None = None
) -> Program[Ended]:
    """The outcome of a workflow, as soon as it has one; the workflow need not exist yet."""
    keys: list[Key] = [("result", workflow_id)]
    if execution is not None:
        keys.append(execution.wake_key)
    with engine.waits.register(*keys) as waiter:
        # A local execution wakes its waiters when it ends: no query is needed before.
        if engine.executions.find(workflow_id) is not None:
            yield from _wait(engine, waiter, execution, workflow_id)
        while True:
            ended = yield engine.query(lambda: engine.store.ended([workflow_id]))
            if workflow_id in ended:
                found: Ended = ended[workflow_id]
                return found
            yield from _wait(engine, waiter, execution, workflow_id)


def _wait(
    engine: Engine, waiter: Waiter, execution: Execution | None, workflow_id: str
) -> Program[None]:
    if execution is not None:
        yield from execution.wait(waiter, None, CurrentActivity("result", of=workflow_id))
        return
    yield engine.pause(waiter, None)


def unwrap(engine: Engine, ended: Ended) -> Any:
    """Return what the workflow returned, or raise what it raised.

    Raises DBOSAwaitedWorkflowCancelledError for a cancelled workflow and
    DBOSAwaitedWorkflowMaxRecoveryAttemptsExceeded for one that was started too often.
    """
    if ended.status == Status.CANCELLED:
        raise DBOSAwaitedWorkflowCancelledError(ended.workflow_id)
    if ended.status == Status.MAX_RECOVERY_ATTEMPTS_EXCEEDED:
        raise DBOSAwaitedWorkflowMaxRecoveryAttemptsExceeded(ended.workflow_id)
    if ended.error is not None:
        raise engine.codec.decode_error(ended.error, ended.serialization)
    return engine.codec.decode(ended.output, ended.serialization)


def outcome_of_new_owner(engine: Engine, workflow_id: str) -> Program[Any]:
    """Another execution owns the row: wait for the outcome that it records, and return it."""
    rows = yield engine.query(lambda: engine.store.owners([workflow_id]))
    if workflow_id not in rows:
        raise DBOSNonExistentWorkflowError("parked", workflow_id)
    ended = yield from outcome_of(engine, workflow_id)
    if ended.status == Status.CANCELLED:
        raise DBOSWorkflowCancelledError(f"Workflow {workflow_id} was cancelled")
    return unwrap(engine, ended)


def get_result(
    engine: Engine, workflow_id: str, execution: Execution | None, *, is_handle: bool
) -> Program[Any]:
    """The result of a workflow; within a workflow this is a step that records it."""
    if execution is None:
        ended = yield from outcome_of(engine, workflow_id)
        return unwrap(engine, ended)
    result = yield from recorded_result(
        execution, execution.next_id(), workflow_id, is_handle=is_handle
    )
    return result


def recorded_result(
    execution: Execution, step_id: int, workflow_id: str, *, is_handle: bool = True
) -> Program[Any]:
    """The step ``DBOS.getResult``, which records the output of the awaited workflow."""
    checkpoint = yield from execution.checkpoint_of(step_id, "DBOS.getResult")
    if checkpoint is not None:
        execution.raise_if_stopped()
        return execution.replay(checkpoint)
    engine = execution.engine
    started_at = engine.clock.now_ms()
    ended = yield from outcome_of(engine, workflow_id, execution)
    child = workflow_id if is_handle else None
    try:
        value = unwrap(engine, ended)
    except Exception as error:
        yield from execution.commit(
            execution.error_write(
                step_id, "DBOS.getResult", error, started_at=started_at, child_id=child
            )
        )
        raise
    write, value = execution.value_write(
        step_id, "DBOS.getResult", value, started_at=started_at, child_id=child
    )
    yield from execution.commit(write)
    return value
