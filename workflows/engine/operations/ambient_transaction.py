"""Run a step inside one transaction on the system database, together with its checkpoint.

The engine's other writes join a transaction that the caller has open there, too. The journal
would deadlock: it waits for the lock that the transaction holds, and the caller waits for the
journal. SQLite always deadlocks, and PostgreSQL does not detect it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from dboshub.workflows.engine.context import Frame, FramedCall, StepStatus, workflow_frame
from dboshub.workflows.engine.errors import DBOSWorkflowConflictIDError
from dboshub.workflows.engine.journal.writes import StepWrite, Verdict
from dboshub.workflows.engine.observability.spans import step_span
from dboshub.workflows.engine.observability.tracing import Span
from dboshub.workflows.engine.ports import TransactionOptions, TransactionRunner
from dboshub.workflows.engine.programs import Outcome, Program
from dboshub.workflows.engine.runtime.activity import CurrentActivity
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.runtime.step_results import record_result

FIRST_PAUSE_MS, MAX_PAUSE_MS = 1, 2_000
# In a row, while the database answers others in between: a value makes it fail. In about 18 s.
ATTEMPTS_OF_ITSELF = 24


@dataclass(slots=True)
class TransactionCall:
    """One call of a transaction as a step."""

    execution: Execution
    transactor: TransactionRunner
    options: TransactionOptions
    step_id: int
    body: FramedCall
    span: Span | None


def transaction(
    transactor: TransactionRunner,
    options: TransactionOptions,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Program[Any]:
    """Run a step whose effects on the database and whose checkpoint commit together.

    Its id is drawn as it begins.
    """
    execution = workflow_frame("DBOS.transaction").execution
    step_id = execution.next_id()
    with step_span(execution, options.name) as span:
        frame = Frame(execution, StepStatus(step_id), span)
        body = FramedCall(frame, function, args, kwargs, runs_after_user_code=False)
        call = TransactionCall(execution, transactor, options, step_id, body, span)
        return (yield from _replay_or_run(call))


def _replay_or_run(call: TransactionCall) -> Program[Any]:
    execution, step_id, name = call.execution, call.step_id, call.options.name
    started_at = execution.now_ms()

    def body() -> tuple[StepWrite, Any]:
        value = call.body.block().unwrap()
        return execution.value_write(step_id, name, value, started_at=started_at)

    activity = CurrentActivity("step", name, step=step_id, since=started_at)
    pauses, failed = transaction_pauses_ms(), 0
    while True:
        # Also after a COMMIT without a reply: if the checkpoint is there, it succeeded.
        checkpoint = yield from execution.checkpoint_of(step_id, name)
        if checkpoint is not None:
            execution.raise_if_stopped()
            return execution.replay(checkpoint)
        yield from execution.verify_can_continue()
        with execution.activities.track(activity):
            outcome: Outcome = yield InTransaction(call, body)
        if outcome.error is None:
            answer, value = outcome.value
            if answer.verdict is not Verdict.DONE:
                execution.invalidate_ownership()
                yield from execution.verify_can_continue()
                raise DBOSWorkflowConflictIDError(execution.workflow_id)
            return value
        failed = failed + 1 if call.transactor.is_of_this_call(outcome.error) else 0
        if failed == ATTEMPTS_OF_ITSELF or not call.transactor.is_transient(outcome.error):
            break
        pause_ms = next(pauses)
        if call.span is not None:
            call.span.rolled_back(pause_ms / 1000)
        yield from execution.pause(pause_ms, CurrentActivity("retry", name, step=step_id))
        execution.history.reload(step_id)
    yield from record_result(execution, step_id, name, outcome, started_at=started_at)


class InTransaction:
    """The effect of running a step's body and recording it in one transaction."""

    __slots__ = ("_body", "_call")

    def __init__(self, call: TransactionCall, body: Callable[[], tuple[StepWrite, Any]]) -> None:
        self._call = call
        self._body = body

    def block(self) -> Outcome:
        engine, level = self._call.execution.engine, self._call.options.isolation_level
        try:
            now = engine.clock.now_ms()
            ended = self._call.transactor.run(self._body, now=now, isolation_level=level)
            return Outcome(ended, None)
        except Exception as error:
            return Outcome(None, error)
        finally:
            engine.after_user_code()

    async def wait(self) -> Outcome:
        raise RuntimeError("a transaction blocks: call it from a sync workflow, or by to_thread")


def transaction_pauses_ms() -> Iterator[int]:
    """Pauses between the attempts of a transaction that failed transiently, in ms."""
    pause_ms = FIRST_PAUSE_MS
    while True:
        yield pause_ms
        pause_ms = min(int(pause_ms * 1.5) + 1, MAX_PAUSE_MS)
