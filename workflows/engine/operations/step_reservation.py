"""Steps without a decorator, and step ids that are drawn before their step runs."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping
from contextvars import copy_context
from typing import Any, ParamSpec, TypedDict, TypeVar, overload

from dboshub.workflows.engine.context import FRAME
from dboshub.workflows.engine.current_engine import engine
from dboshub.workflows.engine.errors import DBOSException, ResourcesExhausted
from dboshub.workflows.engine.operations.steps import ShouldRetry, StepPolicy, checked_policy, step
from dboshub.workflows.engine.programs import Call, Program, refuse_in_loop, run, run_async
from dboshub.workflows.engine.runtime.execution import Execution

P = ParamSpec("P")
R = TypeVar("R")

Options = Mapping[str, Any]


class StepOptions(TypedDict, total=False):
    """Options of a step: the parameters of ``@DBOS.step()``."""

    name: str
    retries_allowed: bool
    interval_seconds: float
    max_attempts: int
    backoff_rate: float
    should_retry: ShouldRetry
    preemptible: bool
    timeout_seconds: float


def run_step(
    options: Options | None,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Program[Any]:
    """Run any callable as a step; outside a workflow call it without recording."""
    current = FRAME.get()
    if current is None or current.step is not None:
        return _run_without_step(function, args, kwargs)
    step_id = current.execution.next_id()  # also for options that are refused
    policy, call = _policy(options, function), _off_loop(function)
    return step(current.execution, policy, call, args, kwargs, step_id)


def reserve_step() -> StepReservation:
    """Draw the next step id. Raises DBOSException outside a workflow body."""
    current = FRAME.get()
    if current is None or current.step is not None:
        raise DBOSException(
            "DBOS.reserve_step must be called from a workflow, outside any step or transaction"
        )
    return StepReservation(current.execution, current.execution.next_id())


class StepReservation:
    """A step id that is drawn in program order, for one step that may run later."""

    def __init__(self, execution: Execution, step_id: int) -> None:
        self._execution = execution
        self._step_id = step_id
        self._is_used = False

    @property
    def step_id(self) -> int:
        return self._step_id

    @overload
    def run(
        self,
        dbos_step_options: StepOptions | None,
        func: Callable[P, Coroutine[Any, Any, R]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R: ...
    @overload
    def run(
        self,
        dbos_step_options: StepOptions | None,
        func: Callable[P, R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R: ...
    def run(
        self,
        dbos_step_options: StepOptions | None,
        func: Callable[..., Any],
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Run a callable as the reserved step. Raises DBOSException if that has already run."""
        refuse_in_loop("run")
        return run(self._run(dbos_step_options, func, args, kwargs))

    @overload
    def run_async(
        self,
        dbos_step_options: StepOptions | None,
        func: Callable[P, Coroutine[Any, Any, R]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Coroutine[Any, Any, R]: ...
    @overload
    def run_async(
        self,
        dbos_step_options: StepOptions | None,
        func: Callable[P, R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Coroutine[Any, Any, R]: ...
    def run_async(
        self,
        dbos_step_options: StepOptions | None,
        func: Callable[..., Any],
        *args: Any,
        **kwargs: Any,
    ) -> Coroutine[Any, Any, Any]:
        """Await a callable as the reserved step. Raises DBOSException if that has already run."""
        return run_async(self._run(dbos_step_options, func, args, kwargs))

    def _run(
        self,
        options: Options | None,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Program[Any]:
        current = FRAME.get()
        if current is None or current.execution is not self._execution or current.step is not None:
            raise DBOSException("a reserved step runs only in the workflow that reserved it")
        if self._is_used:
            raise DBOSException(
                f"A step reservation can only be run once: step {self._step_id} has already run"
            )
        self._is_used = True
        policy, call = _policy(options, function), _off_loop(function)
        value = yield from step(current.execution, policy, call, args, kwargs, self._step_id)
        return value


def _policy(options: Options | None, function: Callable[..., Any]) -> StepPolicy:
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return checked_policy({"name": name, **(options or {})}, function)


def _off_loop(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that runs a blocking `function` on a thread if an event loop awaits it."""
    if inspect.iscoroutinefunction(function) or asyncio.iscoroutinefunction(function):
        return function

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if asyncio._get_running_loop() is None:
            return function(*args, **kwargs)
        return _on_thread(functools.partial(function, *args, **kwargs))

    return call


async def _on_thread(function: Callable[[], Any]) -> Any:
    """Run a function as `asyncio.to_thread` does; a lack of threads is no error of a workflow."""
    context, is_refused = copy_context(), False
    try:
        running = asyncio.get_running_loop().run_in_executor(
            # An executor keeps what it refuses, and runs it with its next thread.
            None,
            lambda: None if is_refused else context.run(function),
        )
    except RuntimeError as shortage:
        is_refused = True
        if FRAME.get() is None:
            raise
        raise ResourcesExhausted(str(shortage)) from shortage
    return await running


def _run_without_step(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Program[Any]:
    outcome = yield Call(_on_engine(function), args, kwargs)
    return outcome.unwrap()


def _on_engine(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that runs a coroutine function on the engine's loop if a thread calls it."""

    def call(*args: Any, **kwargs: Any) -> Any:
        value = _off_loop(function)(*args, **kwargs)
        if inspect.iscoroutine(value) and asyncio._get_running_loop() is None:
            return engine().loop.run(value)
        return value

    return call
