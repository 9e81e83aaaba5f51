"""The SQLAlchemy session of the ``@DBOS.transaction`` under way: ``DBOS.sql_session``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from dboshub.workflows.engine.errors import DBOSException

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class Offered:
    """A session that is opened when it is first asked for."""

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


_OFFERED: ContextVar[Offered | None] = ContextVar("dboshub_sql_session", default=None)


@contextmanager
def offering(open_session: Callable[[], Session]) -> Iterator[Offered]:
    """Let ``DBOS.sql_session`` be a session of this block, flushed and closed by its caller."""
    offered = Offered(open_session)
    token = _OFFERED.set(offered)
    try:
        yield offered
    finally:
        _OFFERED.reset(token)


def under_way() -> Offered | None:
    return _OFFERED.get()


def sql_session() -> Any:
    """The SQLAlchemy session of the transaction under way. Raises DBOSException outside of one."""
    offered = _OFFERED.get()
    if offered is None:
        raise DBOSException("DBOS.sql_session is there only within a @DBOS.transaction()")
    return offered.session()
