"""Run workflow bodies: called directly, started in the background, or claimed from a queue."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from dboshub.workflows.engine import validation
from dboshub.workflows.engine.context import Frame, FramedCall
from dboshub.workflows.engine.errors import (
    DBOSRecoveryError,
    DBOSWorkflowCancelledError,
    DBOSWorkflowConflictIDError,
    ResourcesExhausted,
)
from dboshub.workflows.engine.identity import Identity
from dboshub.workflows.engine.observability.alerts import DEAD_LETTERED
from dboshub.workflows.engine.observability.spans import workflow_span
from dboshub.workflows.engine.programs import Outcome, Program, run_async
from dboshub.workflows.engine.programs import run as block
from dboshub.workflows.engine.records import ClaimedWorkflow, Status, UnseenId
from dboshub.workflows.engine.registration.arguments import ValidateArgs
from dboshub.workflows.engine.registration.registry import Target, validator_of
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.runtime.handing_back import begin, hand_back
from dboshub.workflows.engine.runtime.outcomes import readable, record_outcome
from dboshub.workflows.engine.runtime.start_request import (
    FunctionReference,
    PreparedStart,
    StartParameters,
)
from dboshub.workflows.engine.runtime.starting import in_this_context, prepare, record_start
from dboshub.workflows.engine.serialization import UnknownFormatError
from dboshub.workflows.engine.stored_json import stored_texts
from dboshub.workflows.engine.waiting.workflow_result import (
    outcome_of,
    outcome_of_new_owner,
    recorded_result,
    unwrap,
)


def execute(
    execution: Execution,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Program[Any]:
    """Run a body to its end, record its outcome and return it.

    If another execution owns the row by then, wait for the outcome that it records and return
    that. Any other BaseException records nothing: the workflow stays PENDING.
    """
    engine = execution.engine
    engine.executions.add(execution)
    try:
        with workflow_span(execution) as span:
            outcome: Outcome = yield FramedCall(
                Frame(execution, span=span), function, args, kwargs, execution.identity
            )
            execution.raise_again_if_stopped()
            outcome, text = readable(execution, outcome)
            if span is not None and outcome.error is not None:
                span.failed(outcome.error)
        outcome = yield from record_outcome(execution, outcome, text)
        for on_ended in execution.on_ended.values():
            yield from on_ended()
    except DBOSWorkflowConflictIDError:
        is_lost = True
    else:
        is_lost = False
    finally:
        engine.executions.remove(execution)
    if is_lost:
        return (yield from outcome_of_new_owner(engine, execution.workflow_id))
    return outcome.unwrap()


def call(
    engine: Engine, target: Target, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Program[Any]:
    """Call a workflow and return its result; within a workflow it is a child."""
    start = prepare(engine, in_this_context(FunctionReference.of(target)), args, kwargs)
    result_id = start.parent.next_id() if start.parent is not None else 0
    return _call(engine, target, start, result_id)


def _call(engine: Engine, target: Target, start: PreparedStart, result_id: int) -> Program[Any]:
    started = yield from record_start(engine, start)
    parent = start.parent
    if started.execution is None:
        if parent is not None:
            return (yield from recorded_result(parent, result_id, started.workflow_id))
        ended = yield from outcome_of(engine, started.workflow_id)
        return unwrap(engine, ended)
    arguments = target.arguments(start.args)
    body = execute(started.execution, target.workflow.function, arguments, start.kwargs)
    if parent is None:
        return (yield from body)
    with engine.slots.without_slot(parent):
        try:
            yield from body
        except (Exception, DBOSWorkflowCancelledError):  # noqa: S110
            pass  # the child's outcome is in its row, and is read from there
    return (yield from recorded_result(parent, result_id, started.workflow_id))


def start(
    engine: Engine, target: Target, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Program[str]:
    """Start a workflow in the background; returns its id once its row is durable."""
    prepared = prepare(engine, in_this_context(FunctionReference.of(target)), args, kwargs)
    return _start(engine, target, prepared)


def _start(engine: Engine, target: Target, start: PreparedStart) -> Program[str]:
    started = yield from record_start(engine, start)
    if started.execution is not None:
        run_in_background(started.execution, target, target.arguments(start.args), start.kwargs)
    return started.workflow_id


def enqueue(
    engine: Engine, parameters: StartParameters, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Program[str]:
    """Enqueue a workflow; returns its id once its row is durable."""
    validation.queue_name(parameters.queue_name)
    return _enqueue(engine, prepare(engine, parameters, args, kwargs))


def _enqueue(engine: Engine, start: PreparedStart) -> Program[str]:
    started = yield from record_start(engine, start)
    if start.queue_name is not None:
        engine.on_queue_used(start.queue_name)
    # In an open transaction nobody else sees the row yet.
    is_open = engine.ambient() is not None
    return UnseenId(started.workflow_id) if is_open else started.workflow_id


def run_in_background(
    execution: Execution, target: Target, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Run a body on a thread, or on the event loop if it is a coroutine function."""
    engine = execution.engine
    engine.executions.add(execution)
    body = execute(execution, target.workflow.function, args, kwargs)
    if target.workflow.is_async:
        begin(execution, lambda: engine.run_on_loop(_run_async(execution, body)))
    else:
        begin(execution, lambda: engine.run_in_thread(lambda: _run(execution, body)))


def run_claimed(engine: Engine, claimed: ClaimedWorkflow) -> None:
    """Run a workflow that the dispatcher claimed.

    If its arguments cannot be read, that is recorded as its ERROR. If no thread can be started,
    it is enqueued again. Raises what ``runnable.obstacle`` returns for it.
    """
    execution = _claimed_execution(engine, claimed)
    target = engine.registry.find(
        claimed.workflow_id, claimed.name, claimed.class_name, claimed.config_name
    )
    try:
        args, kwargs = _arguments(engine, claimed)
    except DBOSRecoveryError as error:
        unreadable = error
        _in_thread(execution, lambda: _fail(execution, unreadable))
        return
    limit = target.workflow.max_recovery_attempts
    if limit is not None and (claimed.recovery_attempts or 0) > limit + 1:
        _in_thread(execution, lambda: _dead_letter(execution))
        return
    validate = validator_of(target.workflow, claimed.serialization)
    if validate is None:
        run_in_background(execution, target, target.arguments(args), kwargs)
        return
    engine.executions.add(execution)
    _in_thread(execution, lambda: _run_validated(execution, target, validate, args, kwargs))


def _claimed_execution(engine: Engine, claimed: ClaimedWorkflow) -> Execution:
    roles, tracer = claimed.authenticated_roles, engine.tracer
    return Execution(
        engine=engine,
        workflow_id=claimed.workflow_id,
        owner=claimed.owner,
        name=claimed.name,
        identity=Identity(
            claimed.authenticated_user,
            tuple(stored_texts(roles)) if roles else None,
            claimed.assumed_role,
        ),
        serialization=claimed.serialization,
        deadline_ms=claimed.deadline_ms,
        has_history=claimed.has_history,
        queue_name=claimed.queue_name,
        partition_key=claimed.partition_key,
        trace=tracer.trace_from_carrier(claimed.trace) if tracer is not None else None,
    )


def _run_validated(
    execution: Execution,
    target: Target,
    validate: ValidateArgs,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> None:
    """Validate the arguments, then run; an error of the validator is the workflow's outcome."""
    try:
        args, kwargs = validate(args, kwargs)
    except Exception as error:
        try:
            _fail(execution, error)
        finally:
            execution.engine.executions.remove(execution)
        return
    run_in_background(execution, target, target.arguments(args), kwargs)


def _arguments(engine: Engine, claimed: ClaimedWorkflow) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if claimed.inputs is None:
        raise DBOSRecoveryError(claimed.workflow_id, "it has no row in workflow_input")
    try:
        return engine.codec.decode_args(claimed.inputs, claimed.serialization)
    except UnknownFormatError:
        raise
    except Exception as error:
        name = claimed.serialization or engine.codec.name
        reason = f"its arguments cannot be read as {name}: {type(error).__name__}: {error}"
        raise DBOSRecoveryError(claimed.workflow_id, reason) from error


def _dead_letter(execution: Execution) -> None:
    engine = execution.engine
    status, now = Status.MAX_RECOVERY_ATTEMPTS_EXCEEDED, engine.clock.now_ms()
    engine.store.retire(execution.workflow_id, execution.owner, status=status, now=now)
    engine.waits.wake("result", execution.workflow_id)
    message = f"Workflow {execution.workflow_id} was started too often without ending"
    about = {"workflow_id": execution.workflow_id, "executor_id": str(engine.settings.executor_id)}
    engine.queries.submit(lambda: engine.alert(DEAD_LETTERED, message, about))


def _fail(execution: Execution, error: Exception) -> None:
    with suppress(DBOSWorkflowConflictIDError):
        block(record_outcome(execution, *readable(execution, Outcome(None, error))))


def _in_thread(execution: Execution, task: Callable[[], None]) -> None:
    begin(execution, lambda: execution.engine.run_in_thread(task))


def _run(execution: Execution, body: Program[Any]) -> None:
    try:
        block(body)
    except BaseException as error:
        _ended(execution, error)


async def _run_async(execution: Execution, body: Program[Any]) -> None:
    try:
        await run_async(body)
    except BaseException as error:
        _ended(execution, error)


def _ended(execution: Execution, error: BaseException) -> None:
    """Log what a background workflow raised; nobody else may ever ask for it."""
    logger = execution.engine.logger
    about = (execution.workflow_id, execution.name)
    if isinstance(error, ResourcesExhausted):
        hand_back(execution, error)
    elif getattr(error, "workflow_id", None) == execution.workflow_id:
        logger.info("Background workflow %s (%s) was cancelled, deleted or taken over", *about)
    elif isinstance(error, Exception):
        logger.error("Background workflow %s (%s) failed", *about, exc_info=error)
    else:
        logger.debug("Background workflow %s (%s) is left PENDING: %r", *about, error)
