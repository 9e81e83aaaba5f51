"""Wait for the outcome of a workflow, whichever process executes it."""

from __future__ import annotations

from typing import Any

from dboshub.workflows.engine.errors import (
    DBOSAwaitedWorkflowCancelledError,
    DBOSAwaitedWorkflowMaxRecoveryAttemptsExceeded,
    DBOSNonExistentWorkflowError,
)
from dboshub.workflows.engine.programs import Outcome, Program
from dboshub.workflows.engine.records import Status, WorkflowOutcome
from dboshub.workflows.engine.runtime.activity import CurrentActivity
from dboshub.workflows.engine.runtime.begun import BegunId
from dboshub.workflows.engine.runtime.branch_record import GET_RESULT
from dboshub.workflows.engine.runtime.branch_results import late_in_order
from dboshub.workflows.engine.runtime.effects import LetOthersRun
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.runtime.step_results import record_result
from dboshub.workflows.engine.waiting.waits import KNOWN, Key, Waiter


def outcome_of(
    engine: Engine,
    workflow_id: str,
    execution: Execution | None = None,
    *,
    must_exist: bool = True,
) -> Program[WorkflowOutcome]:
    """The outcome of a workflow, as soon as it has one.

    Raises DBOSNonExistentWorkflowError for one that does not exist, or is deleted during the wait.
    Without `must_exist` it waits for a workflow that does not exist yet.
    """
    kept = _kept(engine, workflow_id)
    if kept is not None:
        return kept
    keys: list[Key] = [("result", workflow_id)]
    if execution is not None:
        keys.append(execution.wake_key)
    with engine.waits.register(*keys) as waiter:
        is_local = engine.executions.find(workflow_id) is not None
        is_known = must_exist or is_local
        if is_known:
            waiter.also((KNOWN, workflow_id))
        # A local execution wakes its waiters when it ends: no query is needed before.
        if is_local:
            engine.journal.hurry()
            yield from _wait(engine, waiter, execution, workflow_id)
        return (yield from _when_ended(engine, waiter, execution, workflow_id, is_known=is_known))


def _when_ended(
    engine: Engine,
    waiter: Waiter,
    execution: Execution | None,
    workflow_id: str,
    *,
    is_known: bool,
) -> Program[WorkflowOutcome]:
    """Look at each wake whether the workflow has ended. One that `is_known` must not be missing."""
    while True:
        while _is_ending_here(engine, workflow_id):
            yield from _wait(engine, waiter, execution, workflow_id)
        found = _kept(engine, workflow_id)
        if found is None:
            found = yield engine.query(lambda: engine.store.outcome(workflow_id))
        if found is None and is_known:
            raise DBOSNonExistentWorkflowError("result", workflow_id)
        if found is not None and found.has_ended and not _is_ending_here(engine, workflow_id):
            return found
        if found is not None and not is_known:
            is_known = True
            waiter.also((KNOWN, workflow_id))
        yield from _wait(engine, waiter, execution, workflow_id)


def _begun(workflow_id: str) -> BegunId | None:
    return workflow_id if isinstance(workflow_id, BegunId) else None


def _kept(engine: Engine, workflow_id: str) -> WorkflowOutcome | None:
    """The outcome that an execution of this process recorded, if this id keeps it."""
    begun = _begun(workflow_id)
    if begun is None or _is_ending_here(engine, workflow_id):
        return None
    return begun.outcome


def _is_ending_here(engine: Engine, workflow_id: str) -> bool:
    """Whether this process still tidies up after the workflow, and wakes its waiters then.

    Who destroys the engine with the result in hand leaves nothing of the workflow behind.
    """
    return engine.executions.is_ending(workflow_id)


def _wait(
    engine: Engine, waiter: Waiter, execution: Execution | None, workflow_id: str
) -> Program[None]:
    if execution is not None:
        yield from execution.wait(waiter, None, CurrentActivity("result", of=workflow_id))
        return
    yield engine.pause(waiter, None)


def unwrap(engine: Engine, ended: WorkflowOutcome, begun: BegunId | None = None) -> Any:
    """Return what the workflow returned, or raise what was recorded, or raised if it began here.

    Raises DBOSAwaitedWorkflowCancelledError for a cancelled workflow and
    DBOSAwaitedWorkflowMaxRecoveryAttemptsExceeded for one that was started too often.
    """
    if ended.status == Status.CANCELLED:
        raise DBOSAwaitedWorkflowCancelledError(ended.workflow_id)
    if ended.status == Status.MAX_RECOVERY_ATTEMPTS_EXCEEDED:
        raise DBOSAwaitedWorkflowMaxRecoveryAttemptsExceeded(ended.workflow_id)
    if ended.error is not None:
        raised = begun.raised() if begun is not None and begun.outcome is ended else None
        raise raised or engine.codec.decode_error(ended.error, ended.serialization)
    return engine.codec.decode(ended.output, ended.serialization)


def outcome_of_new_owner(engine: Engine, workflow_id: str) -> Program[Any]:
    """Another execution owns the row: wait for the outcome that it records, and return it."""
    rows = yield engine.query(lambda: engine.store.owners([workflow_id]))
    if workflow_id not in rows:
        raise DBOSNonExistentWorkflowError("target", workflow_id)
    ended = yield from outcome_of(engine, workflow_id)
    return unwrap(engine, ended)


def get_result(
    engine: Engine,
    workflow_id: str,
    execution: Execution | None,
    *,
    is_handle: bool,
    must_exist: bool,
) -> Program[Any]:
    """The result of a workflow; within a workflow this is a step that records it."""
    if execution is None:
        ended = yield from outcome_of(engine, workflow_id, must_exist=must_exist)
        return unwrap(engine, ended, _begun(workflow_id))
    step_id = execution.next_id(workflow_id)
    return (
        yield from recorded_result(
            execution, step_id, workflow_id, is_handle=is_handle, must_exist=must_exist
        )
    )


def recorded_result(
    execution: Execution,
    step_id: int,
    workflow_id: str,
    *,
    is_handle: bool = True,
    must_exist: bool = True,
) -> Program[Any]:
    """The step ``DBOS.getResult``, which records the output of the awaited workflow.

    A workflow that does not exist any more is an error of this step.
    """
    checkpoint = yield from execution.checkpoint_of(step_id, GET_RESULT)
    if checkpoint is not None:
        execution.raise_if_stopped()
        return execution.replay(checkpoint)
    engine = execution.engine
    started_at = engine.clock.now_ms()
    outcome = yield from _awaited(engine, workflow_id, execution, must_exist=must_exist)
    child_id = workflow_id if is_handle else None
    return (
        yield from record_result(
            execution, step_id, GET_RESULT, outcome, started_at=started_at, child_id=child_id
        )
    )


def result_drawn_late(execution: Execution, workflow_id: str, *, must_exist: bool) -> Program[Any]:
    """The step ``DBOS.getResult`` of a handle that a coroutine awaits.

    Its number is drawn when the result is there, as in the dbos library: what runs at the same
    time draws its numbers before. Results may come in another order at a replay, so a recorded one
    is found by the workflow's id, and returned when the numbers before its own are drawn.
    """
    engine = execution.engine
    activity = CurrentActivity("result", of=workflow_id, step=execution.counter + 1)
    recorded = yield from execution.history.take_result(workflow_id)
    if recorded is not None:
        yield from late_in_order(execution, recorded, activity)
        execution.raise_if_stopped()
        return execution.replay(recorded)
    started_at = engine.clock.now_ms()
    yield LetOthersRun()  # also where the result is known
    outcome = yield from _awaited(engine, workflow_id, execution, must_exist=must_exist)
    late_ids = execution.late_ids
    step_id = yield from late_ids.draw_after(late_ids.last_recorded, activity)
    late_ids.drawn(step_id)
    try:
        return (
            yield from record_result(
                execution, step_id, GET_RESULT, outcome, started_at=started_at, child_id=workflow_id
            )
        )
    finally:
        late_ids.recorded(step_id)


def _awaited(
    engine: Engine, workflow_id: str, execution: Execution, *, must_exist: bool
) -> Program[Outcome]:
    try:
        ended = yield from outcome_of(engine, workflow_id, execution, must_exist=must_exist)
    except DBOSNonExistentWorkflowError as error:
        return Outcome(None, error)
    try:
        return Outcome(unwrap(engine, ended, _begun(workflow_id)), None)
    except DBOSAwaitedWorkflowCancelledError as error:
        # A deadline that both share, or a cancel of both, ends this workflow as well.
        yield from execution.verify_can_continue()
        return Outcome(None, error)
    except Exception as error:
        return Outcome(None, error)
