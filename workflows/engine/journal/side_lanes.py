"""Side lanes: connections that commit one write at a time, beside the groups.

A lane never waits for a locked row. A write that found one gives its lane back and is tried again
later, by one more connection that does nothing else: locks delay only the writes to their rows.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import suppress

from dboshub.workflows.engine.journal.pending_write import PendingWrite
from dboshub.workflows.engine.journal.writes import (
    BulkSendWrite,
    BulkStartWrite,
    SendWrite,
    StartWrite,
    Write,
)
from dboshub.workflows.engine.ports import JournalConnection

FIRST_PAUSE_S, MAX_PAUSE_S = 0.01, 1.0

# Commits one write; False if another transaction holds its row.
Commit = Callable[[JournalConnection, PendingWrite], bool]


class SideLanes:
    """One lane, up to `most` when they are needed, and one for locked rows.

    `mutex` guards the queues. The lanes end when `is_over` returns True; call `wake_all` then.
    Without connections (`most` is 0) there are no lanes.
    """

    def __init__(
        self,
        most: int,
        mutex: threading.Lock,
        *,
        open_connection: Callable[[], JournalConnection],
        commit: Commit,
        spawn: Callable[[Callable[[], None], str], None],
        is_over: Callable[[], bool],
    ) -> None:
        self.most = most
        self._mutex = mutex
        self._open_connection = open_connection
        self._commit = commit
        self._spawn = spawn
        self._is_over = is_over
        self._arrived = threading.Condition(mutex)
        self._retry_changed = threading.Condition(mutex)
        self._writes: deque[PendingWrite] = deque()
        self._lanes = min(1, most)
        self._idle = 0
        # By the time of the next try: writes whose rows were found locked.
        self._locked: list[tuple[float, int, float, PendingWrite]] = []
        self._locked_rows: Counter[str] = Counter()
        self._numbers = itertools.count()
        # Now, so that no write waits for a thread that cannot be started.
        if most:
            spawn(self._serve, "isolated")
            spawn(self._retry, "locked-rows")

    def knows_locked(self, write: Write) -> bool:
        """Whether a row that a write needs was found locked, and is not known to be free yet."""
        return bool(self._locked_rows) and any(self._locked_rows[row] for row in _rows(write))

    # The mutex is held in the calls of this part.

    def put(self, pending: PendingWrite) -> None:
        """Queue a write; one to a row that is known to be locked takes no lane."""
        if self.knows_locked(pending.write):
            self._put_locked(pending, 0.0)
            return
        self._writes.append(pending)
        self._arrived.notify()
        if len(self._writes) > self._idle and self._lanes < self.most:
            with suppress(RuntimeError):  # no more threads: the lanes that run take it
                self._spawn(self._serve, "isolated")
                self._lanes += 1

    def wake_all(self) -> None:
        """Let every lane see whether it is over."""
        self._arrived.notify_all()
        self._retry_changed.notify_all()

    def clear(self) -> None:
        """Forget every write that is queued."""
        self._writes.clear()
        self._locked.clear()
        self._locked_rows.clear()

    def _put_again(self, pending: PendingWrite, pause: float) -> None:
        if not self._is_over():
            self._put_locked(pending, pause)

    def _put_locked(self, pending: PendingWrite, pause: float) -> None:
        self._locked_rows.update(_rows(pending.write))
        due = time.monotonic() + pause
        heapq.heappush(self._locked, (due, next(self._numbers), pause, pending))
        self._retry_changed.notify()

    # What runs on the lanes' threads.

    def _serve(self) -> None:
        connection = self._open_connection()
        try:
            while (pending := self._next()) is not None:
                if not self._commit(connection, pending):
                    with self._mutex:
                        self._put_again(pending, FIRST_PAUSE_S)
        finally:
            connection.close()

    def _next(self) -> PendingWrite | None:
        with self._mutex:
            while not self._writes:
                if self._is_over():
                    return None
                self._idle += 1
                self._arrived.wait()
                self._idle -= 1
            return self._writes.popleft()

    def _retry(self) -> None:
        connection = self._open_connection()
        try:
            while (found := self._next_locked()) is not None:
                pause, pending = found
                is_locked = not self._commit(connection, pending)
                with self._mutex:
                    self._forget_rows(pending.write)
                    if is_locked:
                        self._put_again(pending, min(2 * pause or FIRST_PAUSE_S, MAX_PAUSE_S))
        finally:
            connection.close()

    def _forget_rows(self, write: Write) -> None:
        for row in _rows(write):
            self._locked_rows[row] -= 1
            if self._locked_rows[row] <= 0:
                del self._locked_rows[row]

    def _next_locked(self) -> tuple[float, PendingWrite] | None:
        """Wait for the next write that is due, and take it; its rows stay known as locked."""
        with self._mutex:
            while True:
                now = time.monotonic()
                if self._locked and self._locked[0][0] <= now:
                    _, _, pause, pending = heapq.heappop(self._locked)
                    return pause, pending
                if not self._locked and self._is_over():
                    return None
                self._retry_changed.wait(self._locked[0][0] - now if self._locked else None)


def _rows(write: Write) -> Iterator[str]:
    """The workflows whose rows a write locks."""
    yield write.workflow_id
    if isinstance(write, StartWrite) and write.parent:
        yield write.row.workflow_uuid
    elif isinstance(write, SendWrite) and write.by:
        yield write.destination
    elif isinstance(write, BulkSendWrite):
        yield from {each.destination for each in write.sends} - {write.workflow_id}
    elif isinstance(write, BulkStartWrite):
        yield from {each.row.workflow_uuid for each in write.starts} - {write.workflow_id}
