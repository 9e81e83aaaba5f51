"""The columns of the workflow list, and the choice of those that are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

COOKIE = "workflow_columns"
# The column with the link to the workflow is always shown.
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
    """All columns in order. Shown are the `asked` ones, or the `kept` ones, or the default ones.

    The time that orders the list (`by`) is always shown.
    """
    wanted = _known(asked) or _known(kept) or list(DEFAULT_COLUMNS)
    if by not in wanted:
        # It replaces another time, so that the table does not get wider.
        wanted = [each for each in wanted if each != "created"] + [by]
    return [Column(key, title, key in (*wanted, REQUIRED_COLUMN)) for key, title in TITLES.items()]


def written(keys: Iterable[str]) -> str:
    """Columns as text for the query string and the cookie."""
    return ".".join(_known(".".join(keys)))


def _known(text: str) -> Sequence[str]:
    asked = text.split(".")
    return [key for key in TITLES if key in asked]
