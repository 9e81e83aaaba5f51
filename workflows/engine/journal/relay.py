"""Wakes who waits for settled writes: event loops by one call each, threads one after the other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from dboshub.workflows.engine.journal.pending_write import PendingWrite

# How long a thread that was woken may keep the next one waiting.
FINISH_AFTER_S = 0.001


class Relay:
    """Delivers settled writes. Any thread may call it.

    Each thread of a group wakes the next one as soon as it runs itself. If they were all woken at
    once they would compete for the interpreter, and most would be woken a second time. Threads that
    compute may delay that: ``finish`` is called before others are woken, and after FINISH_AFTER_S
    without a group to commit. The main thread, which signals interrupt, wakes no other one.
    """

    def __init__(self) -> None:
        self._left: deque[PendingWrite] = deque()

    @property
    def is_under_way(self) -> bool:
        """Whether threads are still to be woken."""
        return bool(self._left)

    def deliver(self, settled: Iterable[PendingWrite]) -> None:
        """Wake the waiters of writes; of several threads the first now, and the others soon."""
        loops: dict[asyncio.AbstractEventLoop, list[PendingWrite]] = {}
        threads: list[PendingWrite] = []
        for pending in settled:
            if pending.loop is not None:
                loops.setdefault(pending.loop, []).append(pending)
            elif pending.then is not None or pending.is_interruptible:
                pending.release()
            else:
                threads.append(pending)
        for loop, waiting in loops.items():
            try:
                loop.call_soon_threadsafe(_release, waiting)
            except RuntimeError:
                pass  # the loop is closed: its tasks do not wait any more
        if len(threads) > 1:
            self.finish()
            for pending in threads:
                pending.on_woken = self._wake_next
            self._left.extend(threads[1:])
        if threads:
            threads[0].release()

    def finish(self) -> None:
        """Wake all threads that are left."""
        while self._left:
            self._wake_next()

    def _wake_next(self) -> None:
        try:
            pending = self._left.popleft()
        except IndexError:
            return
        pending.release()


def _release(pending_writes: list[PendingWrite]) -> None:
    for pending in pending_writes:
        pending.release()
