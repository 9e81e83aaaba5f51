"""Slots: how many workflows a process runs at once. A waiting workflow holds no slot."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class Holder(Protocol):
    """An execution, which may hold a slot."""

    holds_slot: bool
    queue_name: str | None


class Slots:
    """Counts running executions. The limit applies to claims, not to executions that wake up.

    A waiting execution releases its slot. It takes one again when it wakes, even above the limit:
    otherwise parents that wait for their children could hold all slots.
    """

    def __init__(self, limit: int, on_free: Callable[[Holder], None] = lambda holder: None) -> None:
        self.limit = limit
        self.on_free = on_free
        self._lock = threading.Lock()
        self._used = 0

    @property
    def used(self) -> int:
        return self._used

    @property
    def free(self) -> int:
        """How many more workflows may be claimed."""
        return max(0, self.limit - self._used)

    def take(self, holder: Holder) -> None:
        """Give the holder a slot, even above the limit."""
        with self._lock:
            holder.holds_slot = True
            self._used += 1

    def release_slot(self, holder: Holder) -> None:
        """Take the holder's slot back; without one nothing happens."""
        with self._lock:
            if not holder.holds_slot:
                return
            holder.holds_slot = False
            self._used -= 1
        self.on_free(holder)

    @contextmanager
    def without_slot(self, holder: Holder) -> Iterator[None]:
        """Release the holder's slot for the time of the block."""
        if not holder.holds_slot:
            yield
            return
        self.release_slot(holder)
        try:
            yield
        finally:
            self.take(holder)
