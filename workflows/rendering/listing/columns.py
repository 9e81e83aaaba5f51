"""The columns of the list: which there are, and which of them a person wants to see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

COOKIE = "workflow_columns"
# The cell that leads to the workflow cannot be left out.
REQUIRED_COLUMN = "name"
TITLES = {
    "status": "Status",
    "name": "Name",
    "id": "Id",
    "queue": "Queue",
    "owner": "Application",
    "version": "Version",
    "executor": "Executor",
    "user": "User",
    "schedule": "Schedule",
    "parent": "Parent",
    "priority": "Priority",
    "attempts": "Attempts",
    "created": "Created",
    "started": "Started",
    "completed": "Completed",
    "duration": "Duration",
}
DEFAULT_COLUMNS = ("status", "name", "id", "queue", "owner", "created", "duration")
TIME_KEYS = ("created", "started", "completed")


@dataclass(frozen=True, slots=True)
class Column:
    key: str
    title: str
    is_shown: bool

    @property
    def is_time(self) -> bool:
        return self.key in TIME_KEYS


def columns(asked: str, kept: str, *, by: str) -> list[Column]:
    """Every column, in order: shown are those asked for, else those kept, else the usual.

    The moment that orders the list is shown in any case.
    """
    wanted = _known(asked) or _known(kept) or list(DEFAULT_COLUMNS)
    if by not in wanted:
        # In the place of another moment, so that the table grows no wider.
        wanted = [each for each in wanted if each != "created"] + [by]
    return [Column(key, title, key in (*wanted, REQUIRED_COLUMN)) for key, title in TITLES.items()]


def written(keys: Iterable[str]) -> str:
    """Columns as an address and the cookie hold them."""
    return ".".join(_known(".".join(keys)))


def _known(text: str) -> Sequence[str]:
    asked = text.split(".")
    return [key for key in TITLES if key in asked]
