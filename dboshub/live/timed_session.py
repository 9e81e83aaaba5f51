"""What a tick costs the database: the time its statements took, and their rows to arrive."""

from __future__ import annotations

import time
from typing import Any

from dboshub.workflows.storage.sql import Row, Session, Statement


class TimedSession(Session):
    """Another session's connection; ``asked`` are the seconds spent on it since it was set to 0."""

    __slots__ = ("asked",)

    def __init__(self, inner: Session) -> None:
        super().__init__(inner.dialect, inner._execute, inner._script)
        self.asked = 0.0

    def all(self, statement: Statement, **params: Any) -> list[Row]:
        began = time.monotonic()
        try:
            return super().all(statement, **params)
        finally:
            self.asked += time.monotonic() - began

    def one(self, statement: Statement, **params: Any) -> Row | None:
        began = time.monotonic()
        try:
            return super().one(statement, **params)
        finally:
            self.asked += time.monotonic() - began
