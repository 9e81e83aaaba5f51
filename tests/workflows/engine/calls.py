"""Counting what user code really did, across replays."""

from __future__ import annotations

from typing import Any


class Calls:
    def __init__(self) -> None:
        self.noted: list[tuple[Any, ...]] = []

    def note(self, *what: Any) -> None:
        self.noted.append(what)

    def count(self, name: str) -> int:
        return sum(1 for what in self.noted if what[0] == name)

    def clear(self) -> None:
        self.noted.clear()
