"""The statements that this process runs, on whichever connection."""

from __future__ import annotations

from typing import Any

from dboshub.workflows.storage.sql import Session


class Statements:
    """Counts the statements that the process runs, by a word in their text."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def count(self, word: str) -> int:
        return sum(1 for text in self.texts if word in text)

    def __enter__(self) -> Statements:
        self._cursor = Session.cursor

        def counted(session: Session, statement: Any, params: dict[str, Any]) -> Any:
            self.texts.append(session.dialect.text(statement))
            return self._cursor(session, statement, params)

        Session.cursor = counted  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        Session.cursor = self._cursor  # type: ignore[method-assign]
