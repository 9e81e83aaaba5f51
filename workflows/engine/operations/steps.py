"""Steps: run user code, record its outcome, and never run it again once that is recorded."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from typing import Any

from dboshub.workflows.engine.context import Frame, FramedCall, StepStatus
from dboshub.workflows.engine.error_text import message_of, summary, type_of
from dboshub.workflows.engine.errors import (
    DBOSException,
    DBOSMaxStepRetriesExceeded,
    DBOSStepTimeoutError,
)
from dboshub.workflows.engine.observability.spans import step_span
from dboshub.workflows.engine.observability.tracing import Span
from dboshub.workflows.engine.programs import Outcome, Program
from dboshub.workflows.engine.runtime.activity import CurrentActivity
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.runtime.step_results import replay_or_run

MAX_PAUSE_S = 3600.0

ShouldRetry = Callable[[BaseException], bool | Awaitable[bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPolicy:
    """Name and retries of a step; times are seconds."""

    name: str
    retries_allowed: bool = False
    interval_seconds: float = 1.0
    max_attempts: int = 3
    backoff_rate: float = 2.0
    should_retry: ShouldRetry | None = None
    preemptible: bool = False
    timeout_seconds: float | None = None

    @property
    def attempts(self) -> int:
        return max(1, self.max_attempts) if self.retries_allowed else 1

    def pause_after(self, attempt: int) -> float:
        """Seconds to wait after the attempt with this number, counted from zero."""
        return min(self.interval_seconds * self.backoff_rate**attempt, MAX_PAUSE_S)


def checked_policy(options: dict[str, Any], function: Callable[..., Any]) -> StepPolicy:
    """The policy that options ask for.

    Raises DBOSException for unknown options, and for options that the function does not support.
    """
    unknown = options.keys() - {each.name for each in fields(StepPolicy)}
    if unknown:
        raise DBOSException(f"unknown step options: {', '.join(sorted(unknown))}")
    policy = StepPolicy(**options)
    seconds = policy.timeout_seconds
    is_async = asyncio.iscoroutinefunction(function)
    if not is_async and (seconds is not None or policy.preemptible):
        what = (
            "timeout_seconds is set. Step timeouts are"
            if seconds is not None
            else "preemptible=True. Preemption is"
        )
        raise DBOSException(
            f"Step {policy.name} is sync but {what} only supported for async steps, because a "
            "thread cannot be interrupted"
        )
    if seconds is not None and not (math.isfinite(seconds) and seconds > 0):
        raise DBOSException(
            f"Step {policy.name} has timeout_seconds={seconds}. Step timeouts must be positive and "
            "finite."
        )
    return policy


@dataclass(slots=True)
class StepCall:
    """One call of a step: its workflow, its policy, its function with arguments, and its id."""

    execution: Execution
    policy: StepPolicy
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    step_id: int
    span: Span | None = None


def step(
    execution: Execution,
    policy: StepPolicy,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    step_id: int | None = None,
) -> Program[Any]:
    """Run a step, or return what it returned before. Its id is drawn as it begins."""
    step_id = execution.next_id() if step_id is None else step_id
    call = StepCall(execution, policy, function, args, kwargs, step_id)
    with step_span(execution, policy.name) as call.span:
        return (yield from replay_or_run(execution, step_id, policy.name, _attempts(call)))


def _attempts(call: StepCall) -> Program[Outcome]:
    """The outcome of the last attempt, or DBOSMaxStepRetriesExceeded if each of them failed."""
    policy, errors = call.policy, list[Exception]()
    function = _effective_function(call)
    for attempt in range(policy.attempts):
        status = StepStatus(call.step_id)
        if policy.retries_allowed:
            status = StepStatus(call.step_id, attempt, policy.attempts)
        frame = Frame(call.execution, status, call.span)
        outcome: Outcome = yield FramedCall(frame, function, call.args, call.kwargs)
        if outcome.error is None or not policy.retries_allowed:
            return outcome
        errors.append(outcome.error)
        if not (yield from _wants_retry(call, outcome.error)):
            return outcome
        yield from _after_failure(call, attempt, outcome.error)
    # One attempt's error that cannot be recorded must not change the type of this one at replay.
    kept = [call.execution.engine.codec.recordable(each) for each in errors]
    return Outcome(None, DBOSMaxStepRetriesExceeded(policy.name, policy.attempts, kept))


def _effective_function(call: StepCall) -> Callable[..., Any]:
    """The function with the time limit and the interruption that the policy asks for."""
    function, policy = call.function, call.policy
    if policy.timeout_seconds is not None:
        function = _with_timeout(function, policy.name, policy.timeout_seconds)
    if policy.preemptible:
        function = _preemptible(call.execution, function)
    return function


def _wants_retry(call: StepCall, error: Exception) -> Program[bool]:
    if call.policy.should_retry is None:
        return True
    outcome: Outcome = yield FramedCall(
        Frame(call.execution), call.policy.should_retry, (error,), {}
    )
    return bool(outcome.unwrap())


def _after_failure(call: StepCall, attempt: int, error: Exception) -> Program[None]:
    """Record a failed attempt for operators; wait before the next one, if there is one."""
    policy = call.policy
    if attempt + 1 == policy.attempts:
        yield from _record_failed_attempt(call, attempt, error, None)
        return
    pause = policy.pause_after(attempt)
    yield from _record_failed_attempt(call, attempt, error, pause)
    if call.span is not None:
        call.span.retried(attempt, error, pause)
    retry = CurrentActivity("retry", policy.name, step=call.step_id)
    yield from call.execution.pause(int(pause * 1000), retry)


def _record_failed_attempt(
    call: StepCall, attempt: int, error: Exception, pause: float | None
) -> Program[None]:
    """Log a failed attempt and write it to our own table: the tables of DBOS have no column."""
    engine, workflow_id = call.execution.engine, call.execution.workflow_id
    now = engine.clock.now_ms()
    engine.logger.warning(
        "step %d of workflow %s failed (attempt %d): %s",
        call.step_id,
        workflow_id,
        attempt + 1,
        summary(error),
        exc_info=error,
    )
    try:
        yield engine.query(
            lambda: engine.store.record_failed_attempt(
                workflow_id=workflow_id,
                function_id=call.step_id,
                attempt=attempt,
                error=type_of(error),
                message=message_of(error)[:2_000],
                failed_at=now,
                next_at=None if pause is None else now + int(pause * 1000),
            ),
            insists=False,
        )
    except Exception:
        # The note is for operators: its failure is no failure of the step.
        engine.logger.warning(
            "a failed attempt of workflow %s is not noted", workflow_id, exc_info=True
        )


def _with_timeout(function: Callable[..., Any], name: str, seconds: float) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        body = asyncio.ensure_future(function(*args, **kwargs))
        try:
            await asyncio.wait({body}, timeout=seconds)
            in_time = body.done()
        finally:
            if not body.done():
                body.cancel()
                await asyncio.wait({body})
        if in_time:
            return body.result()
        # Also for a body that went on after it was cancelled, and returned or raised in the end.
        raise DBOSStepTimeoutError(name, seconds) from _error_of(body)

    return call


def _error_of(body: asyncio.Future[Any]) -> BaseException | None:
    return None if body.cancelled() else body.exception()


def _preemptible(execution: Execution, function: Callable[..., Any]) -> Callable[..., Any]:
    """Cancel the body as soon as the workflow is stopped; the step is not recorded."""

    async def call(*args: Any, **kwargs: Any) -> Any:
        body = asyncio.ensure_future(function(*args, **kwargs))
        try:
            with execution.engine.waits.register(execution.wake_key) as waiter:
                while not body.done():
                    execution.raise_if_stopped()
                    woken = asyncio.ensure_future(waiter.wait())
                    try:
                        await asyncio.wait({body, woken}, return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        woken.cancel()
        finally:
            if not body.done():
                body.cancel()
                await asyncio.wait({body})
        return body.result()

    return call
