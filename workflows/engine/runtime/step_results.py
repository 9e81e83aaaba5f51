"""Record what a step returned or raised, in whatever form the database can keep."""

from __future__ import annotations

from typing import Any

from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.programs import Outcome, Program
from dboshub.workflows.engine.runtime.activity import CurrentActivity
from dboshub.workflows.engine.runtime.execution import Execution


def replay_or_run(
    execution: Execution, step_id: int, name: str, attempts: Program[Outcome]
) -> Program[Any]:
    """Return or raise what a step recorded; or run its attempts, and record their outcome."""
    checkpoint = yield from execution.checkpoint_of(step_id, name)
    if checkpoint is not None:
        execution.raise_if_stopped()
        return execution.replay(checkpoint)
    yield from execution.verify_can_continue()
    started_at = execution.now_ms()
    with execution.activities.track(CurrentActivity("step", name, step=step_id, since=started_at)):
        outcome = yield from attempts
    return (yield from record_result(execution, step_id, name, outcome, started_at=started_at))


def run_as_step(
    execution: Execution, step_id: int, name: str, program: Program[Any]
) -> Program[Any]:
    """Run one of the engine's own programs as a step, and record its result."""
    checkpoint = yield from execution.checkpoint_of(step_id, name)
    if checkpoint is not None:
        execution.raise_if_stopped()
        return execution.replay(checkpoint)
    yield from execution.verify_can_continue()
    started_at = execution.now_ms()
    try:
        outcome = Outcome((yield from program), None)
    except Exception as error:
        outcome = Outcome(None, error)
    return (yield from record_result(execution, step_id, name, outcome, started_at=started_at))


def record_result(
    execution: Execution,
    step_id: int,
    name: str,
    outcome: Outcome,
    *,
    started_at: int,
    child_id: str | None = None,
) -> Program[Any]:
    """Record an outcome as that of a step; return or raise what a replay does.

    A value that cannot be recorded becomes the error that says so. An error that the database
    refuses is recorded as text.
    """
    when: dict[str, Any] = {"started_at": started_at, "child_id": child_id}
    if outcome.error is None:
        try:
            write, value = execution.value_write(step_id, name, outcome.value, **when)
            yield from execution.commit(write)
            return value
        except DBOSException:
            raise
        except Exception as unrecordable:
            outcome = Outcome(None, unrecordable)
    error = outcome.error
    assert error is not None
    try:
        yield from execution.commit(execution.error_write(step_id, name, error, **when))
    except DBOSException:
        raise
    except Exception as refused:
        engine = execution.engine
        engine.logger.warning(
            "The error of step %d of workflow %s is recorded as text: the database refuses it",
            step_id,
            execution.workflow_id,
            exc_info=refused,
        )
        as_text = engine.codec.error_as_text(error, refused)
        yield from execution.commit(execution.error_write(step_id, name, as_text, **when))
    raise error
