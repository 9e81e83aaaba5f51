"""Run workflow bodies: called directly, started in the background, or claimed from a queue."""

from __future__ import annotations

from asyncio import AbstractEventLoop, _get_running_loop
from collections.abc import Callable
from functools import partial
from typing import Any

from dboshub.workflows.engine.context import Frame, FramedCall
from dboshub.workflows.engine.errors import (
    DBOSNotAuthorizedError,
    DBOSWorkflowCancelledError,
    DBOSWorkflowConflictIDError,
    WorkflowSuspended,
)
from dboshub.workflows.engine.identity import current_identity
from dboshub.workflows.engine.observability.spans import workflow_span
from dboshub.workflows.engine.options import OPTIONS
from dboshub.workflows.engine.programs import Outcome, Program, run_async
from dboshub.workflows.engine.registration.registry import Target
from dboshub.workflows.engine.registration.roles import authorized
from dboshub.workflows.engine.registration.workflow import Workflow
from dboshub.workflows.engine.runtime.background_run import BackgroundRun
from dboshub.workflows.engine.runtime.effects import CurrentLoop
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.runtime.handing_back import (
    begin,
    hand_back,
    has_lost_its_loop,
    log_end,
    run_again,
)
from dboshub.workflows.engine.runtime.outcomes import readable, record_outcome
from dboshub.workflows.engine.runtime.refusals import refuse_queue_options
from dboshub.workflows.engine.runtime.start_request import (
    FunctionReference,
    PreparedStart,
    StartParameters,
)
from dboshub.workflows.engine.runtime.starting import (
    in_this_context,
    prepare,
    record_start,
)
from dboshub.workflows.engine.suspension.branches import enter_body
from dboshub.workflows.engine.waiting.workflow_result import (
    outcome_of,
    outcome_of_new_owner,
    recorded_result,
    unwrap,
)


def execute(
    execution: Execution,
    workflow: Workflow,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Program[Any]:
    """Run a body to its end, record its outcome and return it.

    A missing role is its outcome: roles are required where a workflow runs, whoever started it.

    If the workflow was cancelled, or another execution owns the row by then, wait for the outcome
    that is recorded and return that. Any other BaseException records nothing: the workflow stays
    PENDING, or is enqueued again if its event loop ended.
    """
    try:
        return (yield from _execute(execution, workflow, args, kwargs))
    except BaseException as error:
        if has_lost_its_loop(error):
            run_again(
                execution.engine, execution.workflow_id, execution.owner, execution.queue_name
            )
        raise


def _execute(
    execution: Execution,
    workflow: Workflow,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Program[Any]:
    engine = execution.engine
    execution.loop = _get_running_loop()
    enter_body(execution)
    engine.executions.add(execution)
    end: Callable[[Execution], None] = engine.executions.remove
    try:
        with workflow_span(execution) as span:
            outcome = yield from _call_body(Frame(execution, span=span), workflow, args, kwargs)
            execution.raise_again_if_stopped()
            outcome, text = readable(execution, outcome)
            if span is not None and outcome.error is not None:
                span.failed(outcome.error)
        execution.is_ending = True
        outcome = yield from record_outcome(execution, outcome, text)
        for on_ended in execution.on_ended.values():
            yield from on_ended()
    except (DBOSWorkflowConflictIDError, DBOSWorkflowCancelledError):
        is_lost = True
    except WorkflowSuspended:
        end = engine.suspension.suspend
        raise
    else:
        is_lost = False
    finally:
        end(execution)
    if is_lost:
        return (yield from outcome_of_new_owner(engine, execution.workflow_id))
    return outcome.unwrap()


def _call_body(
    frame: Frame, workflow: Workflow, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Program[Outcome]:
    caller = frame.execution.identity
    try:
        identity = authorized(workflow.name, workflow.required_roles, caller)
    except DBOSNotAuthorizedError as error:
        return Outcome(None, error)
    outcome: Outcome = yield FramedCall(frame, workflow.function, args, kwargs, identity)
    return outcome


def call(
    engine: Engine, target: Target, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Program[Any]:
    """Call a workflow and return its result; within a workflow it is a child.

    Options of queues around the call have no meaning for it.
    Raises DBOSNotAuthorizedError without a required role: nothing is recorded then.
    """
    workflow = target.workflow
    identity = authorized(workflow.name, workflow.required_roles, current_identity())
    options = OPTIONS.get().without_queue()
    parameters = StartParameters(FunctionReference.of(target), None, options, identity)
    start = prepare(engine, parameters, args, kwargs)
    if start.parent is not None:
        start.parent.pass_id(start.step_id + 1)
    return _call(engine, target, start, start.step_id + 1)


def _call(engine: Engine, target: Target, start: PreparedStart, result_id: int) -> Program[Any]:
    started = yield from record_start(engine, start)
    parent = start.parent
    if started.execution is None:
        if parent is not None:
            return (yield from recorded_result(parent, result_id, started.workflow_id))
        ended = yield from outcome_of(engine, started.workflow_id)
        return unwrap(engine, ended)
    arguments = target.arguments(start.args)
    body = execute(started.execution, target.workflow, arguments, start.kwargs)
    if parent is None:
        return (yield from body)
    if parent.can_suspend:
        started.execution.can_suspend = engine.suspension.admits(target.workflow.suspend, None)
    if parent.order is not None:
        parent.order.settling.begin_operation()  # what the child does is no work of its parent
    with engine.slots.without_slot(parent):
        try:
            yield from body
        except (Exception, DBOSWorkflowCancelledError, WorkflowSuspended):  # noqa: S110
            pass  # the child's outcome is in its row, or will be, and is read from there
    return (yield from recorded_result(parent, result_id, started.workflow_id))


def start(
    engine: Engine, target: Target, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Program[str]:
    """Start a workflow in the background; returns its id once its row is durable.

    Raises DBOSException for options that have a meaning on a queue alone.
    """
    parameters = in_this_context(FunctionReference.of(target))
    refuse_queue_options(parameters.options)
    prepared = prepare(engine, parameters, args, kwargs)
    return _start(engine, target, prepared)


def _start(engine: Engine, target: Target, start: PreparedStart) -> Program[str]:
    started = yield from record_start(engine, start)
    if started.execution is not None:
        loop = yield CurrentLoop()
        arguments = target.arguments(start.args)
        run_in_background(started.execution, target, arguments, start.kwargs, loop)
    return started.workflow_id


def run_in_background(
    execution: Execution,
    target: Target,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    loop: AbstractEventLoop | None = None,
) -> None:
    """Run a body on a thread; a coroutine function on the caller's `loop`, or on the engine's."""
    engine = execution.engine
    execution.is_background = True
    engine.executions.add(execution)
    execution.can_suspend = engine.suspension.admits(target.workflow.suspend, execution.queue_name)
    body = execute(execution, target.workflow, args, kwargs)
    if target.workflow.is_async:
        begin(execution, lambda: _begin_on_loop(execution, body, loop))
    else:
        engine.run_in_thread(BackgroundRun(execution, body).begin, partial(hand_back, execution))


def _begin_on_loop(
    execution: Execution, body: Program[Any], loop: AbstractEventLoop | None
) -> None:
    execution.loop = execution.engine.run_on_loop(_run_async(execution, body), loop)


async def _run_async(execution: Execution, body: Program[Any]) -> None:
    try:
        await run_async(body)
    except BaseException as error:
        log_end(execution, error)
