"""A connection of the journal, and the lock that gives it to one thread at a time."""

from __future__ import annotations

import threading

from dboshub.workflows.engine.journal.writes import Answer, Write
from dboshub.workflows.engine.ports import JournalConnection


class Lane:
    """Whoever holds `lock` may use `connection`."""

    __slots__ = ("connection", "lock")

    def __init__(self, connection: JournalConnection) -> None:
        self.connection = connection
        self.lock = threading.Lock()

    def apply(self, write: Write, now: int, *, is_isolated: bool) -> Answer:
        """Commit one write."""
        if is_isolated:
            return self.connection.apply_isolated(write, now=now)
        return self.connection.apply((write,), now=now)[0]

    def close(self) -> None:
        """Close the connection as soon as nobody uses it."""
        with self.lock:
            self.connection.close()
