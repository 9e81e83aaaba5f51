"""An open transaction of the caller's on the system database: writes join it, never the journal.

The journal would wait for the lock that the caller's transaction holds, and the caller for the
journal: on SQLite always, on PostgreSQL where no deadlock detector sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dboshub.workflows.engine.context import Frame, FramedCall, StepStatus
from dboshub.workflows.engine.errors import DBOSWorkflowConflictIDError
from dboshub.workflows.engine.journal.writes import StepWrite, Verdict
from dboshub.workflows.engine.observability.tracing import Span, step_span
from dboshub.workflows.engine.ports import TransactionRunner
from dboshub.workflows.engine.programs import Outcome, Program
from dboshub.workflows.engine.runtime.activity import Doing
from dboshub.workflows.engine.runtime.execution import Execution

FIRST_PAUSE_MS, MAX_PAUSE_MS = 1, 2_000


class InTransaction:
    """The effect of running a step's body and recording it in one transaction."""

    __slots__ = ("_body", "_execution", "_level", "_transactor")

    def __init__(
        self,
        execution: Execution,
        transactor: TransactionRunner,
        body: Callable[[], tuple[StepWrite, Any]],
        isolation_level: str | None,
    ) -> None:
        self._execution = execution
        self._transactor = transactor
        self._body = body
        self._level = isolation_level

    def block(self) -> Outcome:
        try:
            now = self._execution.engine.clock.now_ms()
            ended = self._transactor.run(self._body, now=now, isolation_level=self._level)
            return Outcome(ended, None)
        except Exception as error:
            return Outcome(None, error)
        finally:
            self._execution.engine.tidy()

    async def wait(self) -> Outcome:
        raise RuntimeError("a transaction blocks: call it from a sync workflow, or by to_thread")


def transaction(
    execution: Execution,
    transactor: TransactionRunner,
    options: tuple[str, str | None],
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Program[Any]:
    """Run a step whose effects on the database and whose checkpoint commit together.

    Its options are its name and its isolation level, None for the connection's own.
    """
    step_id = execution.next_id()
    with step_span(execution, options[0]) as span:
        frame = Frame(execution, StepStatus(step_id), span)
        call = FramedCall(frame, function, args, kwargs, runs_after_user_code=False)
        return (yield from _transaction(execution, transactor, options, step_id, call, span))


def _transaction(
    execution: Execution,
    transactor: TransactionRunner,
    options: tuple[str, str | None],
    step_id: int,
    call: FramedCall,
    span: Span | None,
) -> Program[Any]:
    name, isolation_level = options
    started_at = execution.engine.clock.now_ms()

    def body() -> tuple[StepWrite, Any]:
        value = call.block().unwrap()
        return execution.value_write(step_id, name, value, started_at=started_at)

    doing = Doing("step", name, step=step_id, since=started_at)
    pause_ms = FIRST_PAUSE_MS
    while True:
        # Also after a lost reply to COMMIT: what was recorded has happened.
        checkpoint = yield from execution.recorded(step_id, name)
        if checkpoint is not None:
            execution.check()
            return execution.replay(checkpoint)
        yield from execution.proceed()
        with execution.doing.during(doing):
            outcome: Outcome = yield InTransaction(execution, transactor, body, isolation_level)
        if outcome.error is None:
            answer, value = outcome.value
            if answer.verdict is not Verdict.DONE:
                execution.invalidate_ownership()
                yield from execution.proceed()
                raise DBOSWorkflowConflictIDError(execution.workflow_id)
            return value
        if not transactor.is_transient(outcome.error):
            break
        if span is not None:
            span.rolled_back(pause_ms / 1000)
        yield from execution.pause(pause_ms, Doing("retry", name, step=step_id))
        execution.reload_history(step_id)
        pause_ms = min(int(pause_ms * 1.5) + 1, MAX_PAUSE_MS)
    error = outcome.error
    yield from execution.commit(execution.error_write(step_id, name, error, started_at=started_at))
    raise error
