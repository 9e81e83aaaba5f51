"""The writes that wait for the next commit of a group, in order of arrival."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from dboshub.workflows.engine.journal.gathering import Gathering
from dboshub.workflows.engine.journal.pending_write import PendingWrite
from dboshub.workflows.engine.journal.relay import FINISH_AFTER_S, Relay

MAX_GROUP_WRITES = 256
MAX_GROUP_SIZE = 4 * 1024 * 1024  # characters of payload
# How long a write that nobody waits for may wait for others to be committed with.
LINGER_S = 0.002


class PendingQueue:
    """Collects writes into groups. A write that lingers waits up to LINGER_S for company.

    All but ``hurry`` and ``must_queue`` is called with the journal's mutex held.
    """

    def __init__(self, mutex: threading.Lock, relay: Relay) -> None:
        self._mutex = mutex
        self._relay = relay
        self._gathering = Gathering()
        self._arrived = threading.Condition(mutex)
        self._writes: deque[PendingWrite] = deque()
        self._linger_until = 0.0  # monotonic seconds
        # Whether somebody waits for a write. Read without the mutex, too.
        self.is_urgent = False

    @property
    def must_queue(self) -> bool:
        """Whether a write must not be committed by its own thread. Read without the mutex."""
        return self.is_urgent or self._gathering.is_crowded

    def put(self, pending: PendingWrite) -> None:
        """Add a write; wake the committer if it has something to do or to wait for."""
        self._writes.append(pending)
        if not pending.lingers:
            self.is_urgent = True
            if len(self._writes) < self._gathering.wanted:
                return
        elif len(self._writes) >= MAX_GROUP_WRITES:
            self._linger_until = 0.0
        elif len(self._writes) == 1:
            self._linger_until = time.monotonic() + LINGER_S
        else:
            return
        self._arrived.notify()

    def hurry(self) -> None:
        """Let no write linger: somebody waits for one now."""
        if self._writes and not self.is_urgent:
            with self._mutex:
                self.is_urgent = bool(self._writes)
                self._arrived.notify()

    def wait(self, is_over: Callable[[], bool], is_closing: Callable[[], bool]) -> bool:
        """Wait until a group should be committed; False if none will be any more.

        Meanwhile every thread of the group before is woken.
        """
        self._gathering.committed(len(self._writes))
        while not (self._writes or is_over()):
            left_s = FINISH_AFTER_S if self._relay.is_under_way else None
            if not self._arrived.wait(left_s):
                self._relay.finish()
        while self._writes and not (self.is_urgent or is_closing()):
            left = self._linger_until - time.monotonic()
            if left <= 0:
                break
            self._arrived.wait(left)
        if self.is_urgent:
            self._gather(is_closing)
        return bool(self._writes)

    def _gather(self, is_closing: Callable[[], bool]) -> None:
        """Give those whose writes were committed last a moment for their next ones."""
        gathering = self._gathering
        seconds = gathering.begin(MAX_GROUP_WRITES)
        if seconds:
            self._arrived.wait_for(
                lambda: len(self._writes) >= gathering.wanted or is_closing(), seconds
            )
            gathering.end(gathering.wanted - len(self._writes))

    def take_group(self) -> list[PendingWrite]:
        """The next writes, no two with the same conflict key."""
        group: list[PendingWrite] = []
        keys: set[object] = set()
        left: list[PendingWrite] = []
        size = 0
        while self._writes and len(group) < MAX_GROUP_WRITES and size < MAX_GROUP_SIZE:
            pending = self._writes.popleft()
            key = pending.write.conflict_key
            if key in keys:
                left.append(pending)
            else:
                keys.add(key)
                group.append(pending)
                size += pending.size
        self._writes.extendleft(reversed(left))
        self.is_urgent = bool(self._writes)
        self._gathering.taken(sum(not pending.lingers for pending in group))
        return group

    def clear(self) -> None:
        self._writes.clear()
        self.is_urgent = False

    def wake_all(self) -> None:
        self._arrived.notify_all()
