"""Steps: run user code once, record how it ended, and never run it again after that."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from typing import Any

from dboshub.workflows.engine.context import Frame, FramedCall, StepStatus
from dboshub.workflows.engine.errors import (
    DBOSException,
    DBOSMaxStepRetriesExceeded,
    DBOSStepTimeoutError,
)
from dboshub.workflows.engine.observability.tracing import Span, step_span
from dboshub.workflows.engine.programs import Outcome, Program
from dboshub.workflows.engine.runtime.activity import Doing
from dboshub.workflows.engine.runtime.execution import Execution

LONGEST_PAUSE_S = 3600.0

ShouldRetry = Callable[[BaseException], bool | Awaitable[bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPolicy:
    """How a step is recorded and how often it is tried; times in seconds."""

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
        return min(self.interval_seconds * self.backoff_rate**attempt, LONGEST_PAUSE_S)


def checked_policy(options: dict[str, Any], function: Callable[..., Any]) -> StepPolicy:
    """The policy of these options. Raises DBOSException for what the function cannot do."""
    unknown = options.keys() - {each.name for each in fields(StepPolicy)}
    if unknown:
        raise DBOSException(f"unknown step options: {', '.join(sorted(unknown))}")
    policy = StepPolicy(**options)
    seconds = policy.timeout_seconds
    is_async = asyncio.iscoroutinefunction(function)
    if not is_async and (seconds is not None or policy.preemptible):
        raise DBOSException(
            f"{policy.name}: timeout_seconds and preemptible need an async step, because a thread "
            "cannot be interrupted"
        )
    if seconds is not None and not (math.isfinite(seconds) and seconds > 0):
        raise DBOSException(f"timeout_seconds must be finite and positive, not {seconds}")
    return policy


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
    with step_span(execution, policy.name) as span:
        return (yield from _step(execution, policy, step_id, span, function, args, kwargs))


def _step(
    execution: Execution,
    policy: StepPolicy,
    step_id: int,
    span: Span | None,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Program[Any]:
    checkpoint = yield from execution.recorded(step_id, policy.name)
    if checkpoint is not None:
        execution.check()
        return execution.replay(checkpoint)
    yield from execution.proceed()
    started_at = execution.engine.clock.now_ms()
    doing = Doing("step", policy.name, step=step_id, since=started_at)
    with execution.doing.during(doing):
        outcome = yield from _attempts(execution, policy, step_id, span, function, args, kwargs)
    if outcome.error is None:
        try:
            write, value = execution.value_write(
                step_id, policy.name, outcome.value, started_at=started_at
            )
        except Exception as unserializable:
            outcome = Outcome(None, unserializable)
    if outcome.error is not None:
        error = outcome.error
        write = execution.error_write(step_id, policy.name, error, started_at=started_at)
        yield from execution.commit(write)
        raise error
    yield from execution.commit(write)
    return value


def _attempts(
    execution: Execution,
    policy: StepPolicy,
    step_id: int,
    span: Span | None,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Program[Outcome]:
    errors: list[Exception] = []
    call = function if policy.timeout_seconds is None else _limited(function, policy)
    if policy.preemptible:
        call = _preemptible(execution, call)
    for attempt in range(policy.attempts):
        status = StepStatus(step_id)
        if policy.retries_allowed:
            status = StepStatus(step_id, attempt, policy.attempts)
        outcome: Outcome = yield FramedCall(Frame(execution, status, span), call, args, kwargs)
        if outcome.error is None or not policy.retries_allowed:
            return outcome
        errors.append(outcome.error)
        if not (yield from _wants_retry(execution, policy, outcome.error)):
            return outcome
        is_last = attempt + 1 == policy.attempts
        pause = 0.0 if is_last else policy.pause_after(attempt)
        yield from _note_failure(execution, step_id, attempt, outcome.error, pause, is_last)
        if not is_last:
            if span is not None:
                span.retried(attempt, outcome.error, pause)
            yield from execution.pause(int(pause * 1000), Doing("retry", policy.name, step=step_id))
    return Outcome(None, DBOSMaxStepRetriesExceeded(policy.name, policy.attempts, errors))


def _wants_retry(execution: Execution, policy: StepPolicy, error: Exception) -> Program[bool]:
    if policy.should_retry is None:
        return True
    outcome: Outcome = yield FramedCall(Frame(execution), policy.should_retry, (error,), {})
    return bool(outcome.unwrap())


def _note_failure(
    execution: Execution, step_id: int, attempt: int, error: Exception, pause: float, is_last: bool
) -> Program[None]:
    """Tell operators of a failed attempt; the tables of DBOS have no place for it."""
    engine = execution.engine
    now = engine.clock.now_ms()
    engine.logger.warning(
        "step %d of workflow %s failed (attempt %d): %s",
        step_id,
        execution.workflow_id,
        attempt + 1,
        error,
    )
    yield engine.query(
        lambda: engine.store.record_failed_attempt(
            workflow_id=execution.workflow_id,
            function_id=step_id,
            attempt=attempt,
            error=type(error).__name__,
            message=str(error)[:2_000].replace("\x00", ""),
            failed_at=now,
            next_at=None if is_last else now + int(pause * 1000),
        )
    )


def _limited(function: Callable[..., Any], policy: StepPolicy) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return await asyncio.wait_for(function(*args, **kwargs), policy.timeout_seconds)
        except TimeoutError as error:
            raise DBOSStepTimeoutError(
                f"step {policy.name} took longer than its {policy.timeout_seconds} s"
            ) from error

    return call


def _preemptible(execution: Execution, function: Callable[..., Any]) -> Callable[..., Any]:
    """End the body as soon as the workflow is stopped; it records nothing and runs again."""

    async def call(*args: Any, **kwargs: Any) -> Any:
        body = asyncio.ensure_future(function(*args, **kwargs))
        try:
            with execution.engine.waits.register(execution.wake_key) as waiter:
                while not body.done():
                    execution.check()
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
