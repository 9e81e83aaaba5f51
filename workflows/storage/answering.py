"""Sessions for stores whose calls are made within workflows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dboshub.workflows.storage.database import Sessions
from dboshub.workflows.storage.fence import lock_owner
from dboshub.workflows.storage.sql import Dialect, Session, Vendor
from dboshub.workflows.storage.transient_errors import raising_unavailable


class AnsweringSessions:
    """Sessions of a database that raise StorageUnavailableError for momentary errors.

    The engine repeats a query of a workflow that raises it: the workflow never hears of it.
    """

    def __init__(self, database: Sessions) -> None:
        self._database = database

    @property
    def dialect(self) -> Dialect:
        return self._database.dialect

    @property
    def vendor(self) -> Vendor:
        return self._database.vendor

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with raising_unavailable(), self._database.reading() as session:
            yield session

    @contextmanager
    def reading_with_timeout(self, seconds: float) -> Iterator[Session]:
        with raising_unavailable(), self._database.reading_with_timeout(seconds) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        with raising_unavailable(), self._database.writing() as session:
            lock_owner(session)
            yield session
