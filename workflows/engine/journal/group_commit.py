"""The journal: it commits the durable writes of a process in groups.

A caller submits its write and waits until it is durable. Writes that arrive during a commit form
the next group. A single caller commits its own write on its own thread. Groups, and the writes of
coroutines, are committed by the committer threads: an interrupted caller fails no other write.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence

from dboshub.workflows.engine.background import LoopFailures
from dboshub.workflows.engine.clock import Clock
from dboshub.workflows.engine.journal.admission import Admission
from dboshub.workflows.engine.journal.commit_retry import CommitRetry
from dboshub.workflows.engine.journal.lane import Lane
from dboshub.workflows.engine.journal.pending_queue import PendingQueue
from dboshub.workflows.engine.journal.pending_write import JournalClosedError, PendingWrite
from dboshub.workflows.engine.journal.relay import Relay
from dboshub.workflows.engine.journal.side_lanes import SideLanes
from dboshub.workflows.engine.journal.writes import Answer, Verdict, Write
from dboshub.workflows.engine.ports import (
    JoinedAsyncTransaction,
    JoinedTransaction,
    JournalConnection,
    StorageUnavailableError,
)


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
        self._clock = clock
        self._on_durable = on_durable
        self._ambient = ambient
        self._ambient_async = ambient_async
        # For groups, and for a caller's write if no group is under way; for its isolated write; and
        # for groups that nobody waits for, so that those keep no caller's write waiting.
        self._lanes = [Lane(open_journal_connection()) for _ in range(3)]
        self._main, self._beside, self._lingering = self._lanes
        self._mutex = threading.Lock()
        self._relay = Relay()
        self._pending = PendingQueue(self._mutex, self._relay)
        self.hurry = self._pending.hurry
        self.admission = Admission(self._enqueue)
        self._threads: list[threading.Thread] = []
        self.retry = CommitRetry(retries_unavailable=retries_unavailable)
        self._failures = LoopFailures("Committing", longest_pause_s=1.0)
        self._closing = False
        self._side_lanes = SideLanes(
            isolated_connections,
            self._mutex,
            open_connection=open_journal_connection,
            commit=self._commit_isolated,
            spawn=self._spawn,
            is_over=self._is_over,
        )
        self._spawn(self._commit_groups, "committer")

    # -- callers ---------------------------------------------------------------------------

    def write(self, write: Write, *, lingers: bool = False) -> Answer:
        """Make a write durable, and block until it is.

        One that `lingers` waits up to LINGER_S for others to be committed with. In an open
        transaction of the caller it is durable when the caller commits. Raises
        JournalClosedError after ``close``, StorageUnavailableError if retries are off.
        """
        if (joined := self._ambient()) is not None:
            answer = joined.apply(write, now=self._clock.now_ms())
            joined.on_commit(lambda: self._on_durable((write,)))
            return answer
        answer_now, is_isolated = self._at_once(write, lingers=lingers)
        if answer_now is not None:
            return answer_now
        pending = PendingWrite(write, is_isolated=is_isolated, lingers=lingers)
        self._hand_in(pending)
        return pending.block()

    def write_then(
        self, write: Write, then: Callable[[PendingWrite], None], *, lingers: bool = False
    ) -> Answer | None:
        """Make a write durable; returns its answer if that is there at once.

        Otherwise `then` gets the settled write, on a thread of the journal. It must neither wait
        nor raise. See ``write``.
        """
        if self._ambient() is not None:
            return self.write(write)
        answer, is_isolated = self._at_once(write, lingers=lingers)
        if answer is None:
            pending = PendingWrite(write, is_isolated=is_isolated, lingers=lingers, then=then)
            self._hand_in(pending)
        return answer

    async def write_async(self, write: Write, *, lingers: bool = False) -> Answer:
        """Make a write durable, and await that; see ``write``.

        A cancelled task waits for its write before it ends, also while there is no room for it:
        the step that it records has happened.
        """
        if (joined := self._ambient_async()) is not None:
            answer = await joined.apply_async(write, now=self._clock.now_ms())
            joined.on_commit(lambda: self._on_durable((write,)))
            return answer
        loop = asyncio.get_running_loop()
        isolated = self._is_isolated(write)
        pending = PendingWrite(write, loop, is_isolated=isolated, lingers=lingers)
        self._hand_in(pending)
        return await pending.wait()

    def close(self, timeout: float) -> None:
        """Commit pending writes within `timeout` seconds; later ones get JournalClosedError.

        A commit that the database does not answer until then may still become durable.
        """
        deadline = time.monotonic() + timeout
        with self._mutex:
            self._closing = True
            self._wake_threads()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self.retry.stop_retrying()
        with self._mutex:
            left = self.admission.clear()
            self._pending.clear()
            self._side_lanes.clear()
            self._wake_threads()
        self._relay.deliver(pending.settle(None, JournalClosedError()) for pending in left)
        self._relay.finish()

    def _hand_in(self, pending: PendingWrite) -> None:
        with self._mutex:
            if self._closing:
                raise JournalClosedError()
            self.admission.admit(pending)

    def _enqueue(self, pending: PendingWrite) -> None:
        """Queue an admitted write; the mutex is held."""
        if pending.is_isolated:
            self._side_lanes.put(pending)
        else:
            self._pending.put(pending)

    def _is_isolated(self, write: Write) -> bool:
        return write.isolated and self._side_lanes.most > 0

    def _at_once(self, write: Write, *, lingers: bool) -> tuple[Answer | None, bool]:
        """The answer to a write committed on this thread, or None, and whether to isolate it."""
        is_isolated = self._is_isolated(write)
        answer = None if lingers else self._inline(write, is_isolated=is_isolated)
        if answer is not None and answer.verdict is Verdict.LOCKED:
            return None, True
        return answer, is_isolated

    def _inline(self, write: Write, *, is_isolated: bool) -> Answer | None:
        """Commit a write on this thread if its connection is idle; None if it is not."""
        lane = self._beside if is_isolated else self._main
        if not lane.lock.acquire(blocking=False):
            return None
        try:
            if self._closing or self._must_queue(write, is_isolated=is_isolated):
                return None
            answer = lane.apply(write, self._clock.now_ms(), is_isolated=is_isolated)
        except StorageUnavailableError:
            return None
        finally:
            lane.lock.release()
        if answer.verdict is not Verdict.LOCKED:
            self._on_durable((write,))
        return answer

    def _must_queue(self, write: Write, *, is_isolated: bool) -> bool:
        """Whether writes that came before, or a locked row, are in the way."""
        if is_isolated:
            return self._side_lanes.knows_locked(write)
        return self._pending.must_queue

    # -- committers ------------------------------------------------------------------------

    def _spawn(self, target: Callable[[], None], role: str) -> None:
        run, name = self._restart_on_error, f"dboshub-journal-{role}"
        thread = threading.Thread(target=run, args=(target,), name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _restart_on_error(self, target: Callable[[], None]) -> None:
        """Run a committer again after any error: without one every caller would block."""
        while True:
            try:
                return target()
            except BaseException as error:
                time.sleep(self._failures.failed(error))

    def _is_over(self) -> bool:
        """Whether every committer must end: no write comes any more. The mutex is held."""
        return self._closing and not len(self.admission)

    def _wake_threads(self) -> None:
        self._pending.wake_all()
        self._side_lanes.wake_all()

    def _commit_groups(self) -> None:
        while self._await_group():
            lane = self._main if self._pending.is_urgent else self._lingering
            # The connection first: writes that arrive while it is in use join this group.
            with lane.lock:
                with self._mutex:
                    group = self._pending.take_group()
                if group:
                    self._commit(group, lane.connection)
        for lane in self._lanes:
            lane.close()

    def _await_group(self) -> bool:
        """Wait until a group should be committed; False if none will be any more."""
        with self._mutex:
            return self._pending.wait(self._is_over, lambda: self._closing)

    def _commit(self, group: list[PendingWrite], connection: JournalConnection) -> None:
        writes = [pending.write for pending in group]
        try:
            answers = self.retry.until_answered(
                lambda: connection.apply(writes, now=self._clock.now_ms()),
                group,
                connection.largest,
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
            self._fail(group, error)
            return
        for pending in group:
            self._commit([pending], connection)

    def _commit_isolated(self, connection: JournalConnection, pending: PendingWrite) -> bool:
        """Commit one write on a side lane; False if another transaction holds its row."""
        try:
            answer = self.retry.until_answered(
                lambda: connection.apply_isolated(pending.write, now=self._clock.now_ms()),
                [pending],
                connection.largest,
            )
        except BaseException as error:
            self._fail([pending], error)
            return True
        if answer.verdict is Verdict.LOCKED:
            return False
        self._settle([pending], [answer])
        return True

    def _settle(self, group: list[PendingWrite], answers: list[Answer]) -> None:
        """Deliver the answers; a write whose row was locked goes to the side lanes."""
        done: list[PendingWrite] = []
        locked: list[PendingWrite] = []
        for pending, answer in zip(group, answers, strict=True):
            if answer.verdict is Verdict.LOCKED:
                locked.append(pending)
            else:
                done.append(pending.settle(answer))
        self._finish(done, locked)
        if done:
            self._on_durable([pending.write for pending in done])

    def _fail(self, group: list[PendingWrite], error: BaseException) -> None:
        self._finish([pending.settle(None, error) for pending in group])

    def _finish(self, done: list[PendingWrite], locked: Sequence[PendingWrite] = ()) -> None:
        """Give back the room of settled writes and wake their callers."""
        with self._mutex:
            for pending in locked:
                if pending in self.admission:
                    self._side_lanes.put(pending)
            released = self.admission.remove(done)
            if self._is_over():
                self._wake_threads()
        self._relay.deliver(released)
        self._failures.recovered()
