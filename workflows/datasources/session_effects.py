"""Effects of working in a session of a datasource, sync or async."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class InSession:
    """The effect of working in a SQLAlchemy session; an async one runs `work` by ``run_sync``."""

    __slots__ = ("_session", "_work")

    def __init__(self, session: Any, work: Callable[[Any], Any]) -> None:
        self._session = session
        self._work = work

    def block(self) -> Any:
        return self._work(self._session)

    async def wait(self) -> Any:
        return await self._session.run_sync(self._work)


class CloseSource:
    """The effect of closing a source: blocking, or awaited for an async source."""

    __slots__ = ("_source",)

    def __init__(self, source: Any) -> None:
        self._source = source

    def block(self) -> None:
        self._source.close()

    async def wait(self) -> None:
        await self._source.close()


def commit(session: Any) -> None:
    """Work for ``InSession``: commit the session's transaction."""
    session.commit()


def close(session: Any) -> None:
    """Work for ``InSession``: close the session, and roll back what is not committed."""
    session.close()
