"""What a check found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """`NOTE` is worth knowing before production; `SKIPPED` could not be asked."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. What is wrong has a remedy."""

    name: str
    state: State
    says: str
    remedy: str = ""


Check = Callable[[], Iterable[Finding]]


def ok(name: str, says: str) -> Finding:
    return Finding(name, State.OK, says)


def note(name: str, says: str, remedy: str = "") -> Finding:
    return Finding(name, State.NOTE, says, remedy)


def wrong(name: str, says: str, remedy: str) -> Finding:
    return Finding(name, State.WRONG, says, remedy)


def skipped(name: str, why: str) -> Finding:
    return Finding(name, State.SKIPPED, why)
