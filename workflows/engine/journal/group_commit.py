"""The journal: it commits the durable writes of a process in groups.

A caller submits its write and waits until it is durable. Writes that arrive during a commit form
the next group. A single caller commits its own write on its own thread. Groups, and the writes of
coroutines, are committed by the committer threads: an interrupted caller fails no other write.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from dboshub.workflows.engine.clock import Clock
from dboshub.workflows.engine.journal.commit_retry import CommitRetry
from dboshub.workflows.engine.journal.pending_write import JournalClosedError, PendingWrite, deliver
from dboshub.workflows.engine.journal.writes import Answer, Verdict, Write
from dboshub.workflows.engine.ports import (
    JoinedAsyncTransaction,
    JoinedTransaction,
    JournalConnection,
    StorageUnavailableError,
)

logger = logging.getLogger("dboshub.journal")

MAX_GROUP_SIZE = 256
MAX_PENDING = 20_000


class Journal:
    """Groups writes and commits them. Any thread and any event loop may call it."""

    def __init__(
        self,
        open_journal_connection: Callable[[], JournalConnection],
        clock: Clock,
        *,
        isolated_connections: int,
        on_durable: Callable[[Sequence[Write]], None] = lambda writes: None,
        ambient: Callable[[], JoinedTransaction | None] = lambda: None,
        ambient_async: Callable[[], JoinedAsyncTransaction | None] = lambda: None,
        retries_unavailable: bool = True,
    ) -> None:
        self._open_connection = open_journal_connection
        self._clock = clock
        self._on_durable = on_durable
        self._ambient = ambient
        self._ambient_async = ambient_async
        self._main = open_journal_connection()
        self._main_lock = threading.Lock()
        self._mutex = threading.Lock()
        self._arrived = threading.Condition(self._mutex)
        self._isolated_arrived = threading.Condition(self._mutex)
        self._has_room = threading.Condition(self._mutex)
        self._pending: deque[PendingWrite] = deque()
        self._isolated: deque[PendingWrite] = deque()
        self._isolated_connections = isolated_connections
        self._idle_isolated_threads = 0
        self._threads: list[threading.Thread] = []
        self.retry = CommitRetry(retries_unavailable=retries_unavailable)
        self._closing = False
        self._spawn(self._commit_groups, "committer")

    # -- callers ---------------------------------------------------------------------------

    def write(self, write: Write) -> Answer:
        """Make a write durable, and block until it is.

        In an open transaction of the caller it is durable when the caller commits. Raises
        JournalClosedError after ``close``, StorageUnavailableError if retries are off.
        """
        joined = self._ambient()
        if joined is not None:
            answer = joined.apply(write, now=self._clock.now_ms())
            joined.on_commit(lambda: self._on_durable((write,)))
            return answer
        if not self._is_isolated(write) and not self._pending:
            committed = self._inline(write)
            if committed is not None:
                return committed
        pending = PendingWrite(write)
        with self._mutex:
            while len(self._pending) + len(self._isolated) >= MAX_PENDING and not self._closing:
                self._has_room.wait()
            self._queue_write(pending)
        return pending.block()

    async def write_async(self, write: Write) -> Answer:
        """Make a write durable, and await that; see ``write``.

        A cancelled task waits for its write before it ends: the write cannot be withdrawn.
        """
        joined = self._ambient_async()
        if joined is not None:
            answer = await joined.apply_async(write, now=self._clock.now_ms())
            joined.on_commit(lambda: self._on_durable((write,)))
            return answer
        pending = PendingWrite(write, asyncio.get_running_loop())
        with self._mutex:
            full = len(self._pending) + len(self._isolated) >= MAX_PENDING
            if not full:
                self._queue_write(pending)
        if full:
            return await asyncio.to_thread(self.write, write)
        return await pending.wait()

    def close(self, timeout: float) -> None:
        """Commit pending writes within `timeout` seconds; later ones get JournalClosedError."""
        deadline = time.monotonic() + timeout
        with self._mutex:
            self._closing = True
            self._arrived.notify_all()
            self._isolated_arrived.notify_all()
            self._has_room.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._mutex:
            self.retry.stop_retrying()
            left = [*self._pending, *self._isolated]
            self._pending.clear()
            self._isolated.clear()
        deliver(pending.settle(None, JournalClosedError()) for pending in left)
        with self._main_lock:
            self._main.close()

    def _queue_write(self, pending: PendingWrite) -> None:
        """Queue a write; the mutex is held."""
        if self._closing:
            raise JournalClosedError()
        if self._is_isolated(pending.write):
            self._queue_isolated(pending)
        else:
            self._pending.append(pending)
            self._arrived.notify()

    def _is_isolated(self, write: Write) -> bool:
        return write.isolated and self._isolated_connections > 0

    def _inline(self, write: Write) -> Answer | None:
        """Commit a write on this thread if the connection is idle; None if it is not."""
        if not self._main_lock.acquire(blocking=False):
            return None
        try:
            if self._pending or self._closing:
                return None
            answer = self._main.apply((write,), now=self._clock.now_ms())[0]
        except StorageUnavailableError:
            return None
        finally:
            self._main_lock.release()
        if answer.verdict is Verdict.LOCKED:
            return self._commit_isolated_and_wait(write)
        self._on_durable((write,))
        return answer

    def _commit_isolated_and_wait(self, write: Write) -> Answer:
        pending = PendingWrite(write)
        with self._mutex:
            self._queue_isolated(pending)
        return pending.block()

    # -- committers ------------------------------------------------------------------------

    def _spawn(self, target: Callable[[], None], role: str) -> None:
        run, name = self._restart_on_error, f"dboshub-journal-{role}"
        thread = threading.Thread(target=run, args=(target,), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _restart_on_error(self, target: Callable[[], None]) -> None:
        """Run a committer again after any error: without committer every caller would block."""
        while True:
            try:
                return target()
            except BaseException:
                logger.exception("journal.committer_failed")

    def _commit_groups(self) -> None:
        while True:
            with self._mutex:
                while not self._pending:
                    if self._closing:
                        return
                    self._arrived.wait()
            # The connection first: writes that arrive while it is in use join this group.
            with self._main_lock:
                group = self._take_group()
                if group:
                    self._commit(group, self._main)

    def _take_group(self) -> list[PendingWrite]:
        """The next writes in order of arrival, no two with the same conflict key."""
        with self._mutex:
            group: list[PendingWrite] = []
            keys: set[object] = set()
            left: list[PendingWrite] = []
            while self._pending and len(group) < MAX_GROUP_SIZE:
                pending = self._pending.popleft()
                key = pending.write.conflict_key
                if key in keys:
                    left.append(pending)
                else:
                    keys.add(key)
                    group.append(pending)
            self._pending.extendleft(reversed(left))
            self._has_room.notify_all()
            return group

    def _commit(self, group: list[PendingWrite], connection: JournalConnection) -> None:
        writes = [pending.write for pending in group]
        try:
            answers = self.retry.until_answered(
                lambda: connection.apply(writes, now=self._clock.now_ms())
            )
        except BaseException as error:
            self._commit_separately(group, connection, error)
            return
        self._settle(group, answers)

    def _commit_separately(
        self, group: list[PendingWrite], connection: JournalConnection, error: BaseException
    ) -> None:
        """Commit each write of a failed group alone, so that only the invalid ones fail."""
        if len(group) == 1 or isinstance(error, JournalClosedError | StorageUnavailableError):
            deliver(pending.settle(None, error) for pending in group)
            return
        for pending in group:
            self._commit([pending], connection)

    def _settle(self, group: list[PendingWrite], answers: list[Answer]) -> None:
        done: list[PendingWrite] = []
        for pending, answer in zip(group, answers, strict=True):
            if answer.verdict is Verdict.LOCKED:
                with self._mutex:
                    self._queue_isolated(pending)
            else:
                done.append(pending.settle(answer))
        deliver(done)
        if done:
            self._on_durable([pending.write for pending in done])

    def _queue_isolated(self, pending: PendingWrite) -> None:
        """Queue a write for a connection that may wait for its row; the mutex is held."""
        self._isolated.append(pending)
        has_idle = len(self._isolated) <= self._idle_isolated_threads
        if has_idle or len(self._threads) > self._isolated_connections:
            self._isolated_arrived.notify()
        else:
            self._spawn(self._commit_isolated, "isolated")

    def _commit_isolated(self) -> None:
        connection = self._open_connection()
        try:
            while (pending := self._next_isolated()) is not None:
                try:
                    answer = self.retry.until_answered(
                        lambda: self._apply_isolated(connection, pending)
                    )
                except BaseException as error:
                    deliver([pending.settle(None, error)])
                else:
                    self._settle([pending], [answer])
        finally:
            connection.close()

    def _apply_isolated(self, connection: JournalConnection, pending: PendingWrite) -> Answer:
        return connection.apply_isolated(pending.write, now=self._clock.now_ms())

    def _next_isolated(self) -> PendingWrite | None:
        with self._mutex:
            while not self._isolated:
                if self._closing:
                    return None
                self._idle_isolated_threads += 1
                self._isolated_arrived.wait()
                self._idle_isolated_threads -= 1
            return self._isolated.popleft()


class Commit:
    """The effect of making a write durable."""

    __slots__ = ("_journal", "_write")

    def __init__(self, journal: Journal, write: Write) -> None:
        self._journal = journal
        self._write = write

    def block(self) -> Answer:
        return self._journal.write(self._write)

    async def wait(self) -> Answer:
        return await self._journal.write_async(self._write)
