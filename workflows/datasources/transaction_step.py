"""Run a transaction on a user's own database as a step, exactly once.

Its checkpoint commits there together with the data, and is then copied to the system database.
After a crash between the two commits a recovered workflow finds it in the user's database.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from dboshub.workflows.datasources.base import Source
from dboshub.workflows.datasources.session_effects import InSession, close, commit
from dboshub.workflows.engine.context import Frame, FramedCall, StepStatus
from dboshub.workflows.engine.errors import DBOSWorkflowConflictIDError
from dboshub.workflows.engine.observability.spans import step_span
from dboshub.workflows.engine.observability.tracing import Span
from dboshub.workflows.engine.operations.ambient_transaction import (
    ATTEMPTS_OF_ITSELF,
    transaction_pauses_ms,
)
from dboshub.workflows.engine.ports import TransactionOptions
from dboshub.workflows.engine.programs import Call, Outcome, Program
from dboshub.workflows.engine.runtime.activity import CurrentActivity
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.runtime.step_results import replay_or_run
from dboshub.workflows.storage import datasource_checkpoints
from dboshub.workflows.storage.transient_errors import before_user_code


@dataclass(frozen=True, slots=True)
class TransactionStep:
    """One call of a transaction on a datasource as a step."""

    source: Source
    execution: Execution
    options: TransactionOptions
    step_id: int
    body: FramedCall
    span: Span | None

    @property
    def key(self) -> tuple[str, int]:
        """The key of its checkpoint in the datasource."""
        return self.execution.workflow_id, self.step_id


def step(
    source: Source,
    execution: Execution,
    options: TransactionOptions,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Program[Any]:
    """Run a transaction as a step; its id is drawn as it begins."""
    step_id = execution.next_id()
    execution.on_ended[source] = partial(_delete_checkpoints, source, execution)
    with step_span(execution, options.name) as span:
        frame = Frame(execution, StepStatus(step_id), span)
        body = FramedCall(frame, function, args, kwargs)
        call = TransactionStep(source, execution, options, step_id, body, span)
        return (yield from replay_or_run(execution, step_id, options.name, _until_recorded(call)))


def run_without_step(
    source: Source,
    isolation_level: str | None,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Program[Any]:
    """Run a transaction that is no step. Within one of the same datasource it is part of it."""
    call = Call(function, args, kwargs)
    if source.has_session:
        outcome: Outcome = yield call
        return outcome.unwrap()
    session = source.open()
    try:
        yield InSession(session, source.begin_at_level(isolation_level))
        with source.current_session(session) as joined:
            outcome = yield call
        value = outcome.unwrap()
        yield InSession(session, commit)
        joined.committed()
    finally:
        yield InSession(session, close)
    return value


def _until_recorded(call: TransactionStep) -> Program[Outcome]:
    """Repeat until the datasource has a checkpoint, or refuses it for a lasting reason."""
    source, failure, pauses = call.source, None, transaction_pauses_ms()
    failed = 0
    while True:
        try:
            if failure is not None:
                return (yield from _record_failure(call, failure))
            found = yield from _recorded(call)
            if found is not None:
                return found
            failed += 1
            return (yield from _perform(call))
        except Exception as error:
            failed = failed if source.is_of_this_call(error) else 0
            if failed == ATTEMPTS_OF_ITSELF or not source.is_transient(error):
                if failure is not None:
                    return Outcome(None, failure)
                failure = error
                continue
        pause_ms = next(pauses)
        if call.span is not None:
            call.span.rolled_back(pause_ms / 1000)
        retry = CurrentActivity("retry", call.options.name, step=call.step_id)
        yield from call.execution.pause(pause_ms, retry)


def _recorded(call: TransactionStep) -> Program[Outcome | None]:
    """The outcome in the datasource, also after a COMMIT without a reply; None if there is none."""
    with before_user_code():
        found = yield from call.source.in_transaction(
            lambda session: datasource_checkpoints.find(session, *call.key)
        )
    return None if found is None else call.source.outcome_of(found)


def _perform(call: TransactionStep) -> Program[Outcome]:
    source, engine = call.source, call.execution.engine
    session = source.open()
    try:
        with before_user_code():
            yield InSession(session, source.begin_at_level(call.options.isolation_level))
        with source.current_session(session) as joined:
            outcome: Outcome = yield call.body
        checkpoint, value = source.value_checkpoint(call.options.name, outcome.unwrap())
        is_mine = yield InSession(session, partial(_insert, call, checkpoint))
        # The lock on the new row keeps other executions from committing this step meanwhile.
        if is_mine and not (yield engine.query(partial(_is_owner, call.execution))):
            raise DBOSWorkflowConflictIDError(call.execution.workflow_id)
        if is_mine:
            yield InSession(session, commit)
            joined.committed()
            return Outcome(value, None)
    finally:
        yield InSession(session, close)
    return (yield from _recorded_by_other_execution(call))


def _record_failure(call: TransactionStep, failure: Exception) -> Program[Outcome]:
    checkpoint = call.source.error_checkpoint(failure)
    with before_user_code():
        is_mine = yield from call.source.in_transaction(
            lambda session: datasource_checkpoints.record(session, *call.key, checkpoint)
        )
    return Outcome(None, failure) if is_mine else (yield from _recorded_by_other_execution(call))


def _recorded_by_other_execution(call: TransactionStep) -> Program[Outcome]:
    """The outcome that another execution of this workflow recorded for the step."""
    found = yield from _recorded(call)
    if found is None:
        raise DBOSWorkflowConflictIDError(call.execution.workflow_id)
    return found


def _delete_checkpoints(source: Source, execution: Execution) -> Program[None]:
    """Delete the checkpoints of a workflow that has ended, unless it was rewound meanwhile."""
    workflow_id = execution.workflow_id
    session = source.open()
    try:
        try:
            yield InSession(
                session,
                lambda on: datasource_checkpoints.delete(source.storage(on), workflow_id),
            )
            if (yield execution.engine.query(partial(_has_ended, execution))):
                yield InSession(session, commit)
        finally:
            yield InSession(session, close)
    except Exception as error:
        execution.engine.logger.warning(
            "checkpoints of workflow %s stay in its datasource: %s", workflow_id, error
        )


def delete_checkpoints_from(source: Source, workflow_id: str, start_step: int) -> Program[None]:
    """Delete the checkpoints of a workflow from `start_step` on, before it is rewound."""
    yield from source.in_transaction(
        lambda session: datasource_checkpoints.delete(session, workflow_id, start_step=start_step)
    )


def _insert(
    call: TransactionStep, checkpoint: datasource_checkpoints.Recorded, session: Any
) -> bool:
    session.flush()
    return datasource_checkpoints.record(call.source.storage(session), *call.key, checkpoint)


def _is_owner(execution: Execution) -> bool:
    found = execution.engine.store.owners([execution.workflow_id]).get(execution.workflow_id)
    return found is not None and found[1] == execution.owner


def _has_ended(execution: Execution) -> bool:
    return bool(execution.engine.store.terminal_among([execution.workflow_id]))
