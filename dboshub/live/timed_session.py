"""A session that measures the time of its statements and of fetching their rows."""

from __future__ import annotations

import time
from typing import Any

from dboshub.workflows.storage.sql import Row, Session, Statement


class TimedSession(Session):
    """Measures a session's statements; ``query_seconds`` is their sum, which the caller resets."""

    __slots__ = ("query_seconds",)

    def __init__(self, inner: Session) -> None:
        super().__init__(inner.dialect, inner._execute, inner._script)
        self.query_seconds = 0.0

    def all(self, statement: Statement, **params: Any) -> list[Row]:
        began = time.monotonic()
        try:
            return super().all(statement, **params)
        finally:
            self.query_seconds += time.monotonic() - began

    def one(self, statement: Statement, **params: Any) -> Row | None:
        began = time.monotonic()
        try:
            return super().one(statement, **params)
        finally:
            self.query_seconds += time.monotonic() - began
