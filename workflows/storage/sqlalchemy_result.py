"""Results of SQLAlchemy, without importing SQLAlchemy or a driver."""

from __future__ import annotations

from typing import Any


class ResultOfSqlalchemy:
    """A result of SQLAlchemy as the cursor of a driver: its columns are its keys."""

    def __init__(self, result: Any) -> None:
        self._result = result
        self.fetchone, self.fetchall = result.fetchone, result.fetchall

    @property
    def rowcount(self) -> int:
        return int(self._result.rowcount)

    @property
    def description(self) -> list[tuple[str]]:
        names: list[str] = [*self._result.keys()]
        return [(name,) for name in names]
