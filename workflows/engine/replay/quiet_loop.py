"""An event loop that knows when none of its tasks can go on.

A replay lets all branches of a body run to the end of their record before it judges them.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class _NotingSelector(selectors.DefaultSelector):
    """Asks, before the loop waits for the outside, how long it may wait."""

    def __init__(self, before_wait: Callable[[float | None], float | None]) -> None:
        super().__init__()
        self._before_wait = before_wait

    def select(self, timeout: float | None = None) -> Any:
        return super().select(self._before_wait(timeout))


class QuietLoop(asyncio.SelectorEventLoop):
    """A loop that releases what waits for quiet as soon as no task, timer or thread is left."""

    def __init__(self, on_quiet: Callable[[], None]) -> None:
        """`on_quiet` is called when nothing is left but branches that have ended."""
        super().__init__(_NotingSelector(self._before_wait))
        self._on_quiet = on_quiet
        self._threads = 0
        self._waits: list[asyncio.Future[None]] = []
        self._ended: list[asyncio.Future[None]] = []
        # What branches raise after their end is nobody's concern.
        self.set_exception_handler(lambda *_: None)

    def quiet(self, *, has_ended: bool) -> asyncio.Future[None]:
        """A future that is done when nothing goes on; of branches that only wait, first."""
        future: asyncio.Future[None] = self.create_future()
        (self._ended if has_ended else self._waits).append(future)
        return future

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self._threads += 1
        future.add_done_callback(self._thread_ended)
        return future

    def _thread_ended(self, _: asyncio.Future[Any]) -> None:
        self._threads -= 1

    def _before_wait(self, timeout: float | None) -> float | None:
        if timeout is not None or self._threads:
            return timeout  # something goes on by itself
        waits, self._waits = self._open(self._waits), []
        if not waits:
            waits, self._ended = self._open(self._ended), []
            if not waits:
                return timeout
            self._on_quiet()
        for each in waits:
            each.set_result(None)
        return 0

    @staticmethod
    def _open(futures: list[asyncio.Future[None]]) -> list[asyncio.Future[None]]:
        return [each for each in futures if not each.done()]
