"""Run what the dispatcher claimed: its execution, its arguments, and what may keep it from them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from dboshub.workflows.engine.errors import (
    DBOSRecoveryError,
    DBOSWorkflowConflictIDError,
)
from dboshub.workflows.engine.identity import Identity
from dboshub.workflows.engine.observability.alerts import DEAD_LETTERED
from dboshub.workflows.engine.programs import Outcome
from dboshub.workflows.engine.programs import run as block
from dboshub.workflows.engine.records import Checkpoint, ClaimedWorkflow, Status
from dboshub.workflows.engine.registration.arguments import ValidateArgs
from dboshub.workflows.engine.registration.registry import Target, validator_of
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.runtime.handing_back import hand_back, log_end
from dboshub.workflows.engine.runtime.history import HISTORY_AT_ONCE
from dboshub.workflows.engine.runtime.outcomes import readable, record_outcome
from dboshub.workflows.engine.runtime.running import run_in_background
from dboshub.workflows.engine.serialization import UnknownFormatError
from dboshub.workflows.engine.stored_json import stored_texts


def claimed_execution(
    engine: Engine, claimed: ClaimedWorkflow, make: Callable[..., Execution] = Execution
) -> Execution:
    """The execution of a claimed row, with the identity that the row records."""
    roles, tracer = claimed.authenticated_roles, engine.tracer
    return make(
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


def claimed_arguments(
    engine: Engine, claimed: ClaimedWorkflow
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a claimed row.

    Raises DBOSRecoveryError if they cannot be read, UnknownFormatError without the serializer.
    """
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


def run_claimed(
    engine: Engine, claimed: ClaimedWorkflow, history: list[Checkpoint] | None = None
) -> None:
    """Run a workflow that the dispatcher claimed; `history` are its first checkpoints, if known.

    If its arguments cannot be read, that is recorded as its ERROR. If no thread can be started,
    it is enqueued again. Raises what ``runnable.obstacle`` returns for it.
    """
    execution = claimed_execution(engine, claimed)
    if history is not None:
        execution.history.add(history, HISTORY_AT_ONCE)
    target = engine.registry.find(
        claimed.workflow_id, claimed.name, claimed.class_name, claimed.config_name
    )
    if claimed.is_read:
        _run_claimed(execution, target, claimed)
        return
    engine.executions.add(execution)
    _in_thread(execution, lambda: _read_and_run(execution, target, claimed))


def _read_and_run(execution: Execution, target: Target, claimed: ClaimedWorkflow) -> None:
    engine = execution.engine
    try:
        inputs = engine.insisting.ask(
            execution, lambda: engine.store.arguments(execution.workflow_id)
        )
    except BaseException as error:
        try:
            _end_unread(execution, error)
        finally:
            engine.executions.remove(execution)
        return
    _run_claimed(execution, target, replace(claimed, inputs=inputs))


def _end_unread(execution: Execution, error: BaseException) -> None:
    """Record that the arguments cannot be read, unless the reading was only stopped."""
    if isinstance(error, Exception):
        reason = f"its arguments cannot be read: {error}"
        _fail(execution, DBOSRecoveryError(execution.workflow_id, reason))
    else:
        log_end(execution, error)


def _run_claimed(execution: Execution, target: Target, claimed: ClaimedWorkflow) -> None:
    engine = execution.engine
    try:
        args, kwargs = claimed_arguments(engine, claimed)
    except DBOSRecoveryError as error:
        unreadable = error
        _in_thread(execution, lambda: _fail(execution, unreadable))
        return
    limit = target.workflow.max_recovery_attempts
    if limit is not None and (claimed.recovery_attempts or 0) > limit + 1:
        _in_thread(execution, lambda: _dead_letter(execution))
        return
    validate = validator_of(target.workflow, claimed.serialization or engine.codec.name)
    if validate is None:
        run_in_background(execution, target, target.arguments(args), kwargs)
        return
    engine.executions.add(execution)
    _in_thread(execution, lambda: _run_validated(execution, target, validate, args, kwargs))


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
    execution.engine.run_in_thread(task, partial(hand_back, execution))
