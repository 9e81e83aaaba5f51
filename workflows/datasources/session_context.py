"""The SQLAlchemy session of the current ``@DBOS.transaction``: ``DBOS.sql_session``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from dboshub.workflows.engine.errors import DBOSException

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class LazySession:
    """A session that is opened when it is first used."""

    def __init__(self, open_session: Callable[[], Session]) -> None:
        self._open = open_session
        self._session: Session | None = None

    def session(self) -> Session:
        if self._session is None:
            self._session = self._open()
        return self._session

    def flush(self) -> None:
        if self._session is not None:
            self._session.flush()

    def close(self) -> None:
        if self._session is not None:
            self._session.close()


_LAZY_SESSION: ContextVar[LazySession | None] = ContextVar("dboshub_sql_session", default=None)


@contextmanager
def providing_session(open_session: Callable[[], Session]) -> Iterator[LazySession]:
    """Make ``DBOS.sql_session`` a session of the block; the caller flushes and closes it."""
    lazy_session = LazySession(open_session)
    token = _LAZY_SESSION.set(lazy_session)
    try:
        yield lazy_session
    finally:
        _LAZY_SESSION.reset(token)


def current_lazy_session() -> LazySession | None:
    """The session of the current transaction, opened or not, or None outside one."""
    return _LAZY_SESSION.get()


def sql_session() -> Any:
    """The SQLAlchemy session of the current transaction. Raises DBOSException outside one."""
    lazy_session = _LAZY_SESSION.get()
    if lazy_session is None:
        raise DBOSException("DBOS.sql_session exists only within a @DBOS.transaction()")
    return lazy_session.session()
