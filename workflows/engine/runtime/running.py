"""Running workflow bodies: called directly, started in the background, or claimed from a queue."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from dboshub.workflows.engine import validation
from dboshub.workflows.engine.context import Frame, FramedCall, Identity
from dboshub.workflows.engine.errors import (
    DBOSRecoveryError,
    DBOSWorkflowCancelledError,
    DBOSWorkflowConflictIDError,
    DBOSWorkflowFunctionNotFoundError,
)
from dboshub.workflows.engine.journal.group_commit import Commit
from dboshub.workflows.engine.journal.pending_write import JournalClosedError
from dboshub.workflows.engine.journal.writes import OutcomeWrite, Verdict
from dboshub.workflows.engine.observability.alerts import DEAD_LETTERED
from dboshub.workflows.engine.observability.tracing import workflow_span
from dboshub.workflows.engine.programs import Outcome, Program, drive
from dboshub.workflows.engine.programs import run as block
from dboshub.workflows.engine.records import ClaimedWorkflow, Status
from dboshub.workflows.engine.registration.arguments import ValidateArgs
from dboshub.workflows.engine.registration.registry import Target, validator_of
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.runtime.runs import Run
from dboshub.workflows.engine.runtime.starting import (
    FunctionReference,
    Launched,
    Request,
    launch,
    request,
)
from dboshub.workflows.engine.serialization import UnknownFormatError
from dboshub.workflows.engine.waiting.workflow_result import (
    outcome_of,
    parked,
    recorded_result,
    unwrap,
)


def execute(
    execution: Execution,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Program[Any]:
    """Run a body to its end and record the outcome; share another's if ownership is lost.

    A BaseException other than lost ownership records nothing: the workflow stays PENDING.
    """
    engine = execution.engine
    engine.admit(execution)
    try:
        with workflow_span(execution) as span:
            outcome: Outcome = yield FramedCall(
                Frame(execution, span=span), function, args, kwargs, execution.run.identity
            )
            write, value = _outcome_write(execution, outcome)
            if span is not None and value.error is not None:
                span.failed(value.error)
        answer = yield Commit(engine.journal, write)
        if answer.verdict is not Verdict.DONE:
            raise DBOSWorkflowConflictIDError(execution.workflow_id)
        for end in execution.endings.values():
            yield from end()
    except DBOSWorkflowConflictIDError:
        is_lost = True
    else:
        is_lost = False
    finally:
        engine.dismiss(execution)
    if is_lost:
        return (yield from parked(engine, execution.workflow_id))
    return value.unwrap()


def _outcome_write(execution: Execution, outcome: Outcome) -> tuple[OutcomeWrite, Outcome]:
    codec, name = execution.engine.codec, execution.serialization
    output = error_text = None
    if outcome.error is None:
        try:
            output = codec.encode(outcome.value, name)
            if not codec.is_lossless:
                outcome = Outcome(codec.decode(output, name), None)
        except Exception as unserializable:
            outcome = Outcome(None, unserializable)
    if outcome.error is not None:
        error_text = codec.encode_error(outcome.error, name)
    write = OutcomeWrite(
        workflow_id=execution.workflow_id,
        owner=execution.owner,
        status=Status.SUCCESS if outcome.error is None else Status.ERROR,
        output=output,
        error=error_text,
        now=execution.engine.clock.now_ms(),
    )
    return write, outcome


def call(
    engine: Engine, target: Target, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Program[Any]:
    """Call a workflow directly: here, now, and as a child if a workflow calls it."""
    asked = request(engine, FunctionReference.of(target), args, kwargs)
    result_id = asked.parent.next_id() if asked.parent is not None else 0
    return _call(engine, target, asked, result_id)


def _call(engine: Engine, target: Target, asked: Request, result_id: int) -> Program[Any]:
    launched = yield from launch(engine, asked)
    if launched.execution is None:
        return (yield from _result(engine, asked, launched, result_id))
    arguments = target.arguments(asked.args)
    body = execute(launched.execution, target.workflow.function, arguments, asked.kwargs)
    parent = asked.parent
    if parent is None:
        return (yield from body)
    with engine.slots.without_slot(parent):
        try:
            yield from body
        except (Exception, DBOSWorkflowCancelledError):  # noqa: S110
            pass  # the child's outcome is in its row, from where it is read just below
    return (yield from recorded_result(parent, result_id, launched.workflow_id))


def _result(engine: Engine, asked: Request, launched: Launched, result_id: int) -> Program[Any]:
    if asked.parent is not None:
        return (yield from recorded_result(asked.parent, result_id, launched.workflow_id))
    ended = yield from outcome_of(engine, launched.workflow_id)
    return unwrap(engine, ended)


def start(
    engine: Engine, target: Target, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Program[str]:
    """Start a workflow in the background; returns its id once its row is durable."""
    asked = request(engine, FunctionReference.of(target), args, kwargs)
    return _start(engine, target, asked)


def _start(engine: Engine, target: Target, asked: Request) -> Program[str]:
    launched = yield from launch(engine, asked)
    if launched.execution is not None:
        run_in_background(launched.execution, target, target.arguments(asked.args), asked.kwargs)
    return launched.workflow_id


def enqueue(
    engine: Engine,
    naming: FunctionReference,
    queue_name: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Program[str]:
    """Put a workflow on a queue; returns its id once its row is durable."""
    validation.queue_name(queue_name)
    asked = request(engine, naming, args, kwargs, queue_name=queue_name)
    return _enqueue(engine, asked)


def _enqueue(engine: Engine, asked: Request) -> Program[str]:
    launched = yield from launch(engine, asked)
    return launched.workflow_id


def run_in_background(
    execution: Execution, target: Target, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Hand a body to a thread, or to the loop if it is a coroutine function."""
    engine = execution.engine
    engine.admit(execution)
    body = execute(execution, target.workflow.function, args, kwargs)
    if target.workflow.is_async:
        engine.run_on_loop(_drive_discarding_errors(engine, body))
    else:
        engine.in_background(lambda: _quietly(engine, body))


def run_claimed(engine: Engine, claimed: ClaimedWorkflow) -> None:
    """Run what the dispatcher claimed.

    What nobody can run is recorded as the row's ERROR. What another process may be able to run
    stays PENDING, and reconciliation offers it again; that counts as no attempt.
    """
    run = Run(
        workflow_id=claimed.workflow_id,
        owner=claimed.owner,
        name=claimed.name,
        identity=Identity(
            claimed.authenticated_user,
            tuple(json.loads(roles)) if (roles := claimed.authenticated_roles) else None,
            claimed.assumed_role,
        ),
        serialization=claimed.serialization,
        deadline_ms=claimed.deadline_ms,
        has_history=claimed.has_history,
        queue_name=claimed.queue_name,
        partition_key=claimed.partition_key,
        trace=engine.tracer.carried(claimed.trace) if engine.tracer is not None else None,
    )
    execution = Execution(engine, run)
    try:
        target = engine.registry.find(
            claimed.workflow_id, claimed.name, claimed.class_name, claimed.config_name
        )
        args, kwargs = _arguments(engine, claimed)
    except (DBOSWorkflowFunctionNotFoundError, UnknownFormatError) as error:
        engine.logger.error(
            "Workflow %s waits for a process that can run it: %s", claimed.workflow_id, error
        )
        engine.in_background(
            lambda: engine.store.undo_attempt_count(claimed.workflow_id, claimed.owner)
        )
        return
    except DBOSRecoveryError as error:
        unreadable = error
        engine.in_background(lambda: _fail(execution, unreadable))
        return
    limit = target.workflow.max_recovery_attempts
    if limit is not None and (claimed.recovery_attempts or 0) > limit + 1:
        engine.in_background(lambda: _dead_letter(execution))
        return
    validate = validator_of(target.workflow, claimed.serialization)
    if validate is None:
        run_in_background(execution, target, target.arguments(args), kwargs)
        return
    engine.admit(execution)
    engine.in_background(lambda: _run_validated(execution, target, validate, args, kwargs))


def _run_validated(
    execution: Execution,
    target: Target,
    validate: ValidateArgs,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> None:
    """Check the arguments, which may be the user's own code; what it raises is the outcome."""
    try:
        args, kwargs = validate(args, kwargs)
    except Exception as error:
        try:
            _fail(execution, error)
        finally:
            execution.engine.dismiss(execution)
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
    write, _ = _outcome_write(execution, Outcome(None, error))
    execution.engine.journal.write(write)


def _quietly(engine: Engine, body: Program[Any]) -> None:
    try:
        block(body)
    except Exception:  # noqa: S110
        pass  # recorded as the workflow's outcome: whoever wants it awaits it
    except (JournalClosedError, BaseException) as stopped:
        engine.logger.debug("workflow left PENDING: %r", stopped)


async def _drive_discarding_errors(engine: Engine, body: Program[Any]) -> None:
    try:
        await drive(body)
    except Exception:  # noqa: S110
        pass  # recorded as the workflow's outcome: whoever wants it awaits it
    except (JournalClosedError, BaseException) as stopped:
        engine.logger.debug("workflow left PENDING: %r", stopped)
