"""A transaction on a user's own database as a step, exactly once.

Its checkpoint commits there together with the data and is copied to the system database
afterwards: after a crash between the two it is found there, so the body never runs again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from dboshub.workflows.datasources.base import Source
from dboshub.workflows.engine.context import Frame, FramedCall, StepStatus
from dboshub.workflows.engine.errors import DBOSWorkflowConflictIDError
from dboshub.workflows.engine.observability.tracing import Span, step_span
from dboshub.workflows.engine.programs import Call, Outcome, Program
from dboshub.workflows.engine.runtime.activity import Doing
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.storage import datasource_checkpoints
from dboshub.workflows.storage.sql import Session

FIRST_PAUSE_MS, MAX_PAUSE_MS = 1, 2_000


class InSession:
    """The effect of working in a SQLAlchemy session, a sync or an async one."""

    __slots__ = ("_session", "_work")

    def __init__(self, session: Any, work: Callable[[Any], Any]) -> None:
        self._session = session
        self._work = work

    def block(self) -> Any:
        return self._work(self._session)

    async def wait(self) -> Any:
        return await self._session.run_sync(self._work)


@dataclass(frozen=True, slots=True)
class Order:
    """One transaction to run as a step."""

    source: Source
    execution: Execution
    step_id: int
    isolation_level: str
    body: FramedCall
    span: Span | None

    @property
    def key(self) -> tuple[str, int]:
        return self.execution.workflow_id, self.step_id


def step(
    source: Source,
    execution: Execution,
    options: tuple[str, str],
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Program[Any]:
    """Run a transaction as a step, by name and isolation level; its id is drawn as it begins."""
    name, isolation_level = options
    step_id = execution.next_id()
    execution.endings[source] = partial(_forget, source, execution)
    with step_span(execution, name) as span:
        frame = Frame(execution, StepStatus(step_id), span)
        body = FramedCall(frame, function, args, kwargs)
        order = Order(source, execution, step_id, isolation_level, body, span)
        return (yield from _step(order, name))


def _step(order: Order, name: str) -> Program[Any]:
    execution, step_id = order.execution, order.step_id
    checkpoint = yield from execution.recorded(step_id, name)
    if checkpoint is not None:
        execution.check()
        return execution.replay(checkpoint)
    yield from execution.proceed()
    started_at = execution.engine.clock.now_ms()
    with execution.doing.during(Doing("step", name, step=step_id, since=started_at)):
        outcome = yield from _until_recorded(order, name)
    if outcome.error is not None:
        error = outcome.error
        write = execution.error_write(step_id, name, error, started_at=started_at)
        yield from execution.commit(write)
        raise error
    write, value = execution.value_write(step_id, name, outcome.value, started_at=started_at)
    yield from execution.commit(write)
    return value


def run_without_step(
    source: Source,
    isolation_level: str,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Program[Any]:
    """Run a transaction that is no step; within one of the same datasource it is a part of it."""
    call = Call(function, args, kwargs)
    if source.has_session:
        outcome: Outcome = yield call
        return outcome.unwrap()
    session = source.open()
    try:
        yield InSession(session, source.beginning(isolation_level))
        with source.using(session) as within:
            outcome = yield call
        value = outcome.unwrap()
        yield InSession(session, _commit)
        within.committed()
    finally:
        yield InSession(session, _close)
    return value


def _until_recorded(order: Order, name: str) -> Program[Outcome]:
    """Try until a checkpoint is durable in the datasource, or cannot be."""
    source, failure, pause_ms = order.source, None, FIRST_PAUSE_MS
    while True:
        try:
            if failure is not None:
                return (yield from _record_failure(order, failure))
            return (yield from _perform(order))
        except Exception as error:
            if not source.is_transient(error):
                if failure is not None:
                    return Outcome(None, failure)
                failure = error
                continue
        if order.span is not None:
            order.span.rolled_back(pause_ms / 1000)
        yield from order.execution.pause(pause_ms, Doing("retry", name, step=order.step_id))
        pause_ms = min(int(pause_ms * 1.5) + 1, MAX_PAUSE_MS)


def _perform(order: Order) -> Program[Outcome]:
    source, engine = order.source, order.execution.engine
    # Also after a lost reply to COMMIT: what was recorded has happened.
    found = yield from _in_transaction(
        source, lambda on: datasource_checkpoints.find(on, *order.key)
    )
    if found is not None:
        return source.outcome_of(found)
    session = source.open()
    try:
        yield InSession(session, source.beginning(order.isolation_level))
        with source.using(session) as within:
            outcome: Outcome = yield order.body
        recorded, value = source.recorded(outcome.unwrap())
        is_mine = yield InSession(session, partial(_insert, order, recorded))
        # The lock on the new row keeps any other run from committing this step meanwhile.
        if is_mine and not (yield engine.query(partial(_is_owner, order.execution))):
            raise DBOSWorkflowConflictIDError(order.execution.workflow_id)
        if is_mine:
            yield InSession(session, _commit)
            within.committed()
            return Outcome(value, None)
    finally:
        yield InSession(session, _close)
    return (yield from _recorded_by_other_run(order))


def _record_failure(order: Order, failure: Exception) -> Program[Outcome]:
    recorded = order.source.recorded_error(failure)
    is_mine = yield from _in_transaction(
        order.source, lambda on: datasource_checkpoints.record(on, *order.key, recorded)
    )
    return Outcome(None, failure) if is_mine else (yield from _recorded_by_other_run(order))


def _recorded_by_other_run(order: Order) -> Program[Outcome]:
    """What another run of this workflow recorded for the step."""
    found = yield from _in_transaction(
        order.source, lambda on: datasource_checkpoints.find(on, *order.key)
    )
    if found is None:
        raise DBOSWorkflowConflictIDError(order.execution.workflow_id)
    return order.source.outcome_of(found)


def _forget(source: Source, execution: Execution) -> Program[None]:
    """The run has ended: its checkpoints have served. A rewound one's are not touched."""
    session = source.open()
    try:
        try:
            yield InSession(
                session,
                lambda on: datasource_checkpoints.delete(source.storage(on), execution.workflow_id),
            )
            if (yield execution.engine.query(partial(_has_ended, execution))):
                yield InSession(session, _commit)
        finally:
            yield InSession(session, _close)
    except Exception as error:
        execution.engine.logger.warning(
            "checkpoints of workflow %s stay in its datasource: %s", execution.workflow_id, error
        )


def delete_checkpoints_from(source: Source, workflow_id: str, start_step: int) -> Program[None]:
    """Delete the checkpoints that a rewound workflow is not to find."""
    yield from _in_transaction(
        source, lambda on: datasource_checkpoints.delete(on, workflow_id, start_step=start_step)
    )


def _in_transaction(source: Source, work: Callable[[Session], Any]) -> Program[Any]:
    session = source.open()
    try:
        answer = yield InSession(session, lambda on: work(source.storage(on)))
        yield InSession(session, _commit)
    finally:
        yield InSession(session, _close)
    return answer


def _insert(order: Order, recorded: datasource_checkpoints.Recorded, session: Any) -> bool:
    session.flush()
    return datasource_checkpoints.record(order.source.storage(session), *order.key, recorded)


def _is_owner(execution: Execution) -> bool:
    found = execution.engine.store.owners([execution.workflow_id]).get(execution.workflow_id)
    return found is not None and found[1] == execution.owner


def _has_ended(execution: Execution) -> bool:
    return bool(execution.engine.store.terminal_among([execution.workflow_id]))


def _commit(session: Any) -> None:
    session.commit()


def _close(session: Any) -> None:
    session.close()
