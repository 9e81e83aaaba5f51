"""Effects that the engine gives to programs: a query, a wait, and the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, TypeVar

from dboshub.workflows.engine.programs import Effect, Program
from dboshub.workflows.engine.runtime.threads import Threads
from dboshub.workflows.engine.waiting.waits import Waiter

R = TypeVar("R")


class Query:
    """The effect of a database query; a coroutine awaits it on one of `threads`."""

    __slots__ = ("_ask", "_threads")

    def __init__(self, threads: Threads, ask: Callable[[], Any]) -> None:
        self._threads = threads
        self._ask = ask

    def block(self) -> Any:
        return self._ask()

    async def wait(self) -> Any:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def answer() -> None:
            try:
                value, error = self._ask(), None
            except BaseException as raised:
                value, error = None, raised
            try:
                loop.call_soon_threadsafe(_resolve, future, value, error)
            except RuntimeError:
                pass  # the loop is closed: no coroutine waits any more

        # In the caller's context, because the query may depend on the caller's identity.
        context = copy_context()
        try:
            self._threads.submit(lambda: context.run(answer))
        except RuntimeError:
            # No thread can be started, and there is none yet. The query is no part of user code,
            # so that must not be an error in it.
            return self._ask()
        return await future


class OneAtATime:
    """Performs one effect for all tasks that ask at once, as the result serves all of them.

    The others wait for it, then look again at what they need.
    """

    def __init__(self) -> None:
        self._under_way: asyncio.Future[None] | None = None

    def perform(self, effect: Effect, take: Callable[[Any], None]) -> SharedEffect:
        """The effect of performing `effect` and giving its result to `take`, or of waiting."""
        return SharedEffect(self, effect, take)

    async def share(self, effect: Effect, take: Callable[[Any], None]) -> None:
        if self._under_way is not None:
            await asyncio.shield(self._under_way)  # who is cancelled does not cancel it for others
            return
        under_way = self._under_way = asyncio.get_running_loop().create_future()
        try:
            take(await effect.wait())
        finally:
            self._under_way = None
            under_way.set_result(None)


class SharedEffect:
    """The effect that ``OneAtATime`` gives; a thread performs its own."""

    __slots__ = ("_effect", "_sharing", "_take")

    def __init__(self, sharing: OneAtATime, effect: Effect, take: Callable[[Any], None]) -> None:
        self._sharing = sharing
        self._effect = effect
        self._take = take

    def block(self) -> None:
        self._take(self._effect.block())

    async def wait(self) -> None:
        await self._sharing.share(self._effect, self._take)


class Wait:
    """The effect of waiting for a waiter's keys until `deadline` (``time.monotonic()``)."""

    __slots__ = ("_deadline", "_waiter")

    def __init__(self, waiter: Waiter, deadline: float | None) -> None:
        self._waiter = waiter
        self._deadline = deadline

    def block(self) -> bool:
        return self._waiter.block(self._deadline)

    async def wait(self) -> bool:
        return await self._waiter.wait(self._deadline)


class LetOthersRun:
    """The effect of letting the other tasks of the event loop begin; a thread goes on at once."""

    def block(self) -> None:
        return None

    async def wait(self) -> None:
        await asyncio.sleep(0)


def drawn_late(define: Callable[[], Program[R]]) -> Program[R]:
    """A program that draws its step ids after the tasks that the event loop runs beside it.

    The dbos library makes some calls on a thread, and draws their ids there.
    """
    yield LetOthersRun()
    return (yield from define())


class CurrentLoop:
    """The effect of finding the event loop that awaits the program; None if a thread blocks."""

    def block(self) -> None:
        return None

    async def wait(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()


def _resolve(future: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
