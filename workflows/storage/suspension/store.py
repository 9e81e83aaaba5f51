"""The port of suspended workflows on a system database."""

from __future__ import annotations

from collections.abc import Sequence

from dboshub.workflows.engine.suspension.records import Departure, Suspended, WaitRow, WakeKey
from dboshub.workflows.storage.answering import AnsweringSessions
from dboshub.workflows.storage.database import Sessions
from dboshub.workflows.storage.suspension import leaving, waking


class SqlSuspensionStore:
    """Implements ``SuspensionStore``. Safe to use from any thread."""

    def __init__(self, database: Sessions) -> None:
        self._database = AnsweringSessions(database)

    def suspend(self, departures: Sequence[Departure], *, now: int) -> Suspended:
        with self._database.writing() as session:
            return leaving.suspend(session, departures, now=now)

    def waits_for(self, keys: Sequence[WakeKey], *, most: int) -> list[WaitRow]:
        with self._database.reading() as session:
            return waking.waits_for(session, keys, most=most)

    def waits_after(self, last: WaitRow | None, *, most: int) -> list[WaitRow]:
        with self._database.reading() as session:
            return waking.waits_after(session, last, most=most)

    def forget_stale(self, waits: Sequence[WaitRow]) -> int:
        with self._database.reading() as session:
            found = waking.stale(session, waits)
        if not found:
            return 0
        with self._database.writing() as session:
            return waking.forget_stale(session, found)

    def ready(self, waits: Sequence[WaitRow]) -> list[WaitRow]:
        with self._database.reading() as session:
            return waking.ready(session, waits)

    def wake(self, waits: Sequence[WaitRow], *, now: int) -> list[str]:
        with self._database.writing() as session:
            return waking.wake(session, waits, now=now)
