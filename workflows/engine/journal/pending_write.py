"""One write on its way to the database, and whoever waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable

from dboshub.workflows.engine.journal.writes import Answer, Write


class JournalClosedError(BaseException):
    """The engine is stopping: the write may or may not be recorded, and nothing else will be."""


class PendingWrite:
    """A write handed in by a thread, which blocks, or by a task of `loop`, which awaits."""

    __slots__ = ("_future", "_gate", "answer", "error", "loop", "write")

    def __init__(self, write: Write, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.write = write
        self.loop = loop
        self.answer: Answer | None = None
        self.error: BaseException | None = None
        self._future = loop.create_future() if loop is not None else None
        self._gate: threading.Lock | None = None
        if loop is None:
            self._gate = threading.Lock()
            self._gate.acquire()

    def block(self) -> Answer:
        assert self._gate is not None
        self._gate.acquire()
        return self._result()

    async def wait(self) -> Answer:
        """Await the answer; a task that is cancelled meanwhile waits for it all the same."""
        assert self.loop is not None
        assert self._future is not None
        try:
            await self._future
        except asyncio.CancelledError:
            # The write cannot be withdrawn. Only this loop settles futures, so none is missed.
            while not self._is_settled:
                self._future = self.loop.create_future()
                try:
                    await self._future
                except asyncio.CancelledError:
                    continue
            raise
        return self._result()

    def settle(self, answer: Answer | None, error: BaseException | None = None) -> PendingWrite:
        """Note the outcome; ``deliver`` tells whoever waits."""
        self.answer, self.error = answer, error
        return self

    def release(self) -> None:
        """Wake the waiter: from any thread if it is one, else on its loop."""
        if self._gate is not None:
            self._gate.release()
        elif self._future is not None and not self._future.done():
            self._future.set_result(None)

    @property
    def _is_settled(self) -> bool:
        return self.answer is not None or self.error is not None

    def _result(self) -> Answer:
        if self.error is not None:
            raise self.error
        assert self.answer is not None
        return self.answer


def deliver(pending_writes: Iterable[PendingWrite]) -> None:
    """Tell everyone whose write is settled, with one call into each event loop."""
    waiting: dict[asyncio.AbstractEventLoop, list[PendingWrite]] = {}
    for pending in pending_writes:
        if pending.loop is None:
            pending.release()
        else:
            waiting.setdefault(pending.loop, []).append(pending)
    for loop, settled in waiting.items():
        try:
            loop.call_soon_threadsafe(_release, settled)
        except RuntimeError:
            pass  # the loop is closed, and nobody waits any more


def _release(pending_writes: list[PendingWrite]) -> None:
    for pending in pending_writes:
        pending.release()
