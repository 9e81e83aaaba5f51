"""Programs: one definition for the sync and the async form of a durable operation.

A *program* is a generator. It yields effects (a commit, a query, a wait, a call of user code)
and returns a value. ``run`` performs each effect by blocking, ``run_async`` by awaiting.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
from collections.abc import Callable, Coroutine, Generator
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Effect(Protocol):
    """Something that a program waits for, by blocking or by awaiting."""

    def block(self) -> Any: ...
    async def wait(self) -> Any: ...


_PACKAGE = os.path.dirname(os.path.dirname(__file__))

Program = Generator[Effect, Any, R]


def run(program: Program[R]) -> R:
    """Run a program on this thread, blocking at each effect."""
    try:
        effect = next(program)
        while True:
            try:
                value = effect.block()
            except BaseException as error:
                effect = program.throw(error)
            else:
                effect = program.send(value)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]  # a generator's return is untyped here
    except RuntimeError as error:
        raised = stop_iteration_of(error)
        if raised is None:
            raise
        raise raised from None


def stop_iteration_of(error: RuntimeError) -> StopIteration | None:
    """The StopIteration of user code that a program of ours raised; Python replaces it."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    is_ours = place is not None and place.tb_frame.f_code.co_filename.startswith(_PACKAGE)
    return error.__cause__ if is_ours and isinstance(error.__cause__, StopIteration) else None


async def begin_when_awaited(define: Callable[[], Program[R]]) -> R:
    """Begin a program when its coroutine begins, not when it is called, and run it.

    So step ids are drawn in the order in which calls are awaited, or in which their tasks first
    run. The dbos library draws them in the same order: each can continue workflows of the other.
    """
    return await run_async(define())


async def run_async(program: Program[R]) -> R:
    """Run a program on the current event loop, awaiting each effect."""
    try:
        effect = next(program)
        while True:
            try:
                value = await effect.wait()
            except BaseException as error:
                effect = program.throw(error)
            else:
                effect = program.send(value)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]  # a generator's return is untyped here


def refuse_in_loop(name: str) -> None:
    """Raise RuntimeError on the thread of a running event loop, which the call would block."""
    if asyncio._get_running_loop() is not None:
        raise RuntimeError(
            f"{name}() was called while an event loop is running. "
            f"Use await {name}_async(...) instead."
        )


def awaitable(define: Callable[P, Program[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """The async form of a program."""

    @functools.wraps(define)
    async def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return await run_async(define(*args, **kwargs))

    call.__name__ = f"{define.__name__}_async"
    return call


F = TypeVar("F", bound=Callable[..., Any])


def mark_coroutine(function: F) -> F:
    """Mark a plain function that returns a coroutine, so that frameworks treat it as async."""
    if hasattr(inspect, "markcoroutinefunction"):
        inspect.markcoroutinefunction(function)
    # Python 3.11 has only asyncio's private mark, which asyncio.iscoroutinefunction reads.
    function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
    return function


class Call:
    """The effect of calling user code; an Exception is part of the outcome, not raised."""

    __slots__ = ("_args", "_function", "_kwargs")

    def __init__(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._function = function
        self._args = args
        self._kwargs = kwargs

    def block(self) -> Outcome:
        try:
            return Outcome(self._function(*self._args, **self._kwargs), None)
        except Exception as error:
            return Outcome(None, error)

    async def wait(self) -> Outcome:
        try:
            value = self._function(*self._args, **self._kwargs)
            return Outcome(await value if inspect.isawaitable(value) else value, None)
        except Exception as error:
            return Outcome(None, error)


class Outcome:
    """The outcome of user code: a value, or the exception that it raised."""

    __slots__ = ("error", "value")

    def __init__(self, value: Any, error: Exception | None) -> None:
        self.value = value
        self.error = error

    def unwrap(self) -> Any:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.value
