"""A database that counts the statements run on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from dboshub.workflows.storage.database import Connection, Database, Planner
from dboshub.workflows.storage.sql import Cursor, Dialect, Session, Vendor


class CountedDatabase:
    """The database itself; `statements` are the texts in the order they were run."""

    def __init__(self, database: Database) -> None:
        self.statements: list[str] = []
        self._database = database

    @property
    def dialect(self) -> Dialect:
        return self._database.dialect

    @property
    def vendor(self) -> Vendor:
        return self._database.vendor

    def reading(self) -> AbstractContextManager[Session]:
        return self._counted(self._database.reading())

    def writing(self) -> AbstractContextManager[Session]:
        return self._counted(self._database.writing())

    def connect(self, *, planner: Planner | None = None) -> Connection:
        connection = self._database.connect(planner=planner)
        connection.session = self._counting(connection.session)
        return connection

    def change_counter(self) -> Callable[[], int] | None:
        return self._database.change_counter()

    def close(self) -> None:
        self._database.close()

    @contextmanager
    def _counted(self, opened: AbstractContextManager[Session]) -> Iterator[Session]:
        with opened as session:
            yield self._counting(session)

    def _counting(self, session: Session) -> Session:
        def execute(text: str, params: dict[str, Any]) -> Cursor:
            self.statements.append(text)
            return session._execute(text, params)

        return Session(session.dialect, execute, session.script)
