"""How many writes the journal has at once. The others wait here for their turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from dboshub.workflows.engine.journal.pending_write import PendingWrite

MAX_PENDING = 20_000
MAX_PENDING_SIZE = 64 * 1024 * 1024  # characters of payload


class Admission:
    """Bounds the pending writes of a journal in number and size; the mutex is held in each call.

    A write is pending from its admission until it is settled. A write larger than the limit is
    admitted while no other is pending. Writes that wait are admitted in order of arrival.
    """

    def __init__(
        self,
        enqueue: Callable[[PendingWrite], None],
        *,
        most: int = MAX_PENDING,
        most_size: int = MAX_PENDING_SIZE,
    ) -> None:
        self.most, self.most_size = most, most_size
        self.size = 0
        self._enqueue = enqueue
        self._pending: set[PendingWrite] = set()
        self._waiting: deque[PendingWrite] = deque()

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, write: PendingWrite) -> bool:
        return write in self._pending

    @property
    def waiting(self) -> int:
        """How many writes wait for room."""
        return len(self._waiting)

    def admit(self, write: PendingWrite) -> None:
        """Enqueue a write now, or once there is room for it."""
        self._waiting.append(write)
        self._admit_waiting()

    def remove(self, writes: Iterable[PendingWrite]) -> list[PendingWrite]:
        """Give back the room of writes that are settled now; return those that were pending."""
        removed = [write for write in writes if write in self._pending]
        for write in removed:
            self._pending.remove(write)
            self.size -= write.size
        self._admit_waiting()
        return removed

    def clear(self) -> list[PendingWrite]:
        """Remove and return all writes, pending and waiting ones."""
        left = [*self._pending, *self._waiting]
        self._waiting.clear()
        self._pending.clear()
        self.size = 0
        return left

    def _admit_waiting(self) -> None:
        while self._waiting and self._has_room(self._waiting[0].size):
            write = self._waiting.popleft()
            self._pending.add(write)
            self.size += write.size
            self._enqueue(write)

    def _has_room(self, size: int) -> bool:
        if not self._pending:
            return True
        return len(self._pending) < self.most and self.size + size <= self.most_size
