"""A write that waits for its commit, and the thread or task that waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from dboshub.workflows.engine.journal.writes import Answer, Write


class JournalClosedError(BaseException):
    """The journal is closed. The write may be recorded; no later write will be."""


class PendingWrite:
    """A write of a thread, which blocks, or of a task of `loop`, which awaits, or of nobody."""

    __slots__ = (
        "_future",
        "_gate",
        "answer",
        "error",
        "failures",
        "is_interruptible",
        "is_isolated",
        "lingers",
        "loop",
        "on_woken",
        "size",
        "then",
        "write",
    )

    def __init__(
        self,
        write: Write,
        loop: asyncio.AbstractEventLoop | None = None,
        *,
        is_isolated: bool = False,
        lingers: bool = False,
        then: Callable[[PendingWrite], None] | None = None,
    ) -> None:
        """`is_isolated`: whether it is committed alone, on a side lane.

        `lingers`: whether it may wait for others to be committed with. `then`: who is told when
        it is settled, if no thread blocks.
        """
        self.write = write
        self.size = write.size
        self.is_isolated = is_isolated
        self.lingers = lingers and not is_isolated
        self.failures = 0  # for which its size may be the reason
        self.loop = loop
        self.answer: Answer | None = None
        self.error: BaseException | None = None
        self._future = loop.create_future() if loop is not None else None
        self.then = then
        self.on_woken: Callable[[], None] | None = None  # what its thread does first
        self.is_interruptible = False
        self._gate: threading.Lock | None = None
        if loop is None and then is None:
            self._gate = threading.Lock()
            self._gate.acquire()
            # Its thread may stop to wait: signals interrupt the main thread, and no other.
            self.is_interruptible = threading.get_ident() == threading.main_thread().ident

    def block(self) -> Answer:
        """Block until the write is settled. Returns its answer or raises its error."""
        assert self._gate is not None
        try:
            self._gate.acquire()
        finally:
            if self.on_woken is not None:
                self.on_woken()
        return self._result()

    async def wait(self) -> Answer:
        """Await the answer. A task that is cancelled meanwhile still waits until it is settled."""
        assert self.loop is not None
        assert self._future is not None
        try:
            await self._future
        except asyncio.CancelledError:
            # The write cannot be withdrawn. Only this loop settles its futures: none is missed.
            while not self._is_settled:
                self._future = self.loop.create_future()
                try:
                    await self._future
                except asyncio.CancelledError:
                    continue
            raise
        return self._result()

    def settle(self, answer: Answer | None, error: BaseException | None = None) -> PendingWrite:
        """Set the answer or the error; the relay then wakes the waiter."""
        self.answer, self.error = answer, error
        return self

    def release(self) -> None:
        """Wake the waiter. For a task, call this on its loop; for a thread, on any thread."""
        if self.then is not None:
            self.then(self)
        elif self._gate is not None:
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
