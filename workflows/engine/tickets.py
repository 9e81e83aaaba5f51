"""One write on its way to the database, and whoever waits for it."""

from __future__ import annotations

import asyncio
import threading

from workflows.engine.writes import Answer, Write


class JournalClosedError(BaseException):
    """The engine is stopping: the write may or may not be recorded, and nothing else will be."""


class Ticket:
    """One write on its way, and whoever waits for it."""

    __slots__ = ("_future", "_gate", "answer", "error", "write")

    def __init__(self, write: Write, future: asyncio.Future[None] | None) -> None:
        self.write = write
        self.answer: Answer | None = None
        self.error: BaseException | None = None
        self._future = future
        self._gate = threading.Lock()
        if future is None:
            self._gate.acquire()

    def block(self) -> Answer:
        self._gate.acquire()
        return self.result()

    def result(self) -> Answer:
        if self.error is not None:
            raise self.error
        assert self.answer is not None
        return self.answer

    def settle(self, answer: Answer | None, error: BaseException | None = None) -> None:
        """Give the outcome to the waiting thread, or to the loop of the waiting task."""
        self.answer, self.error = answer, error
        if self._future is None:
            self._gate.release()
            return
        try:
            self._future.get_loop().call_soon_threadsafe(_finish, self._future)
        except RuntimeError:
            pass  # the loop is closed, and nobody waits any more


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
