"""The effect of making a write durable."""

from __future__ import annotations

from collections.abc import Callable

from dboshub.workflows.engine.journal.group_commit import Journal
from dboshub.workflows.engine.journal.pending_write import PendingWrite
from dboshub.workflows.engine.journal.writes import Answer, Write


class Commit:
    """The effect of making a write durable; see ``Journal.write``.

    A program that `may_detach` needs no thread while it waits for this effect.
    """

    __slots__ = ("_journal", "_lingers", "_write", "may_detach")

    def __init__(
        self, journal: Journal, write: Write, *, lingers: bool = False, may_detach: bool = False
    ) -> None:
        self._journal = journal
        self._write = write
        self._lingers = lingers
        self.may_detach = may_detach

    def block(self) -> Answer:
        return self._journal.write(self._write, lingers=self._lingers)

    async def wait(self) -> Answer:
        return await self._journal.write_async(self._write, lingers=self._lingers)

    def begin(self, then: Callable[[PendingWrite], None]) -> Answer | None:
        """Return the answer if it is there at once; otherwise `then` gets the settled write."""
        return self._journal.write_then(self._write, then, lingers=self._lingers)
