"""A SQLAlchemy transaction that the engine's writes join."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.journal.writes import Answer, Write
from dboshub.workflows.storage.sql import Dialect


class SessionTransaction:
    """The transaction of a SQLAlchemy session, which the engine's writes join."""

    def __init__(self, session: Any, dialect: Dialect) -> None:
        self.session = session
        self._dialect = dialect
        self._callbacks: list[Callable[[], None]] = []
        self.is_over = False

    def apply(self, write: Write, *, now: int) -> Answer:
        """Apply a write. Raises DBOSException for an async session: use ``apply_async``."""
        if hasattr(self.session, "run_sync"):
            raise DBOSException(
                "this transaction holds the one writer of its SQLite file, and must be awaited: "
                "use the call's _async form"
            )
        return self._apply(self.session, write, now)

    async def apply_async(self, write: Write, *, now: int) -> Answer:
        """Apply a write."""
        if not hasattr(self.session, "run_sync"):
            return self._apply(self.session, write, now)
        answer: Answer = await self.session.run_sync(self._apply, write, now)
        return answer

    def on_commit(self, callback: Callable[[], None]) -> None:
        """Call `callback` in ``committed``."""
        self._callbacks.append(callback)

    def committed(self) -> None:
        """Run the callbacks, after the commit."""
        for callback in self._callbacks:
            callback()

    def _apply(self, session: Any, write: Write, now: int) -> Answer:
        # Imported here, because importing this package must import no driver.
        from dboshub.workflows.storage.caller_session import session_on
        from dboshub.workflows.storage.journal.single import apply_single

        session.flush()
        storage = session_on(session, vendor=self._dialect.vendor, schema=self._dialect.schema)
        return apply_single(storage, write, now=now)


_UNDER_WAY: ContextVar[tuple[tuple[Path, SessionTransaction], ...]] = ContextVar(
    "dboshub_datasource_transactions", default=()
)


@contextmanager
def tracking_transaction(file: Path | None, joined: SessionTransaction) -> Iterator[None]:
    """Make other writes to the SQLite file join this transaction: SQLite has one writer."""
    if file is None:
        yield
        return
    token = _UNDER_WAY.set((*_UNDER_WAY.get(), (file, joined)))
    try:
        yield
    finally:
        # Tasks that the body started copied this context: they must see that it ended.
        joined.is_over = True
        _UNDER_WAY.reset(token)


def open_transaction_on(file: Path) -> SessionTransaction | None:
    """The transaction of the current context on a SQLite file, or None."""
    for held, joined in _UNDER_WAY.get():
        if held == file and not joined.is_over:
            return joined
    return None
