"""Capacity: how many workflows a process runs at once. Waiting is not running."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class Holder(Protocol):
    """What occupies a slot."""

    holds_slot: bool
    queue_name: str | None


class Slots:
    """Counts running executions. It bounds what is claimed, never what wakes up.

    A parked execution gives its slot back and takes one again on waking, even if that exceeds
    the limit for a moment: otherwise parents waiting for children could hold all the slots.
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
        return max(0, self.limit - self._used)

    def take(self, holder: Holder) -> None:
        with self._lock:
            holder.holds_slot = True
            self._used += 1

    def release_slot(self, holder: Holder) -> None:
        with self._lock:
            if not holder.holds_slot:
                return
            holder.holds_slot = False
            self._used -= 1
        self.on_free(holder)

    @contextmanager
    def without_slot(self, holder: Holder) -> Iterator[None]:
        """Hold no slot within the block, if one was held."""
        if not holder.holds_slot:
            yield
            return
        self.release_slot(holder)
        try:
            yield
        finally:
            self.take(holder)
