"""Slots: how many workflows a process runs at once. A waiting workflow holds no slot."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class Holder(Protocol):
    """An execution, which may hold a slot."""

    queue_name: str | None


class Slots:
    """Counts running executions. The limit applies to claims, not to executions that wake up.

    A waiting execution releases its slot. It takes one again when it wakes, even above the limit:
    otherwise parents that wait for their children could hold all slots. Concurrent branches of an
    execution share its slot, and a branch that outlives the execution takes none.
    """

    def __init__(self, limit: int, on_free: Callable[[Holder], None] = lambda holder: None) -> None:
        self.limit = limit
        self.on_free = on_free
        self._lock = threading.Lock()
        # Sets and no count: no order of waits and ends takes a slot twice or keeps one.
        self._running: set[Holder] = set()
        self._holding: set[Holder] = set()

    @property
    def used(self) -> int:
        return len(self._holding)

    @property
    def free(self) -> int:
        """How many more workflows may be claimed."""
        return max(0, self.limit - self.used)

    def admit(self, holder: Holder) -> None:
        """Give an execution that begins a slot, even above the limit."""
        with self._lock:
            self._running.add(holder)
            self._holding.add(holder)

    def dismiss(self, holder: Holder) -> None:
        """Take the slot of an execution that has ended; it never gets one again."""
        with self._lock:
            self._running.discard(holder)
        self._release(holder)

    @contextmanager
    def without_slot(self, holder: Holder) -> Iterator[None]:
        """Release the holder's slot for the time of the block."""
        self._release(holder)
        try:
            yield
        finally:
            with self._lock:
                if holder in self._running:
                    self._holding.add(holder)

    def _release(self, holder: Holder) -> None:
        with self._lock:
            if holder not in self._holding:
                return
            self._holding.remove(holder)
        self.on_free(holder)
