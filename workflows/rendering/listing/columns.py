"""The columns of the workflow list: which are shown, in which order, and those made of values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dboshub.workflows.payloads.paths import Path, read_path

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
    "error": "Error",
    "input": "Input",
    "output": "Output",
    "attr": "Attributes",
}
# What is within a workflow: for those who may see payloads.
PLACES = ("error", "input", "output", "attr")
DEFAULT_COLUMNS = ("status", "name", "id", "queue", "owner", "created", "duration")
TIME_KEYS = ("created", "started", "completed")
SEPARATOR = ","
MAX_PATHS, MAX_PATH_LENGTH = 8, 200


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its key: a fact of the row, a place, or a path as `input.order.id`."""

    key: str
    is_shown: bool = False

    @property
    def title(self) -> str:
        return TITLES.get(self.key, self.key)

    @property
    def is_time(self) -> bool:
        return self.key in TIME_KEYS

    @property
    def is_value(self) -> bool:
        """Whether it shows payload."""
        return self.key in PLACES or self.key not in TITLES

    @property
    def path(self) -> Path:
        """The place of a value, and the path within it."""
        return read_path(self.key) or (self.key,)


def columns(asked: str, kept: str, *, by: str, payload: bool) -> list[Column]:
    """All columns: the shown ones in their order, then the others.

    Shown are the `asked` ones, or the `kept` ones, or the default ones. The time that orders the
    list (`by`) is always shown. Columns with values need `payload`.
    """
    wanted = read_columns(asked) or read_columns(kept) or [*DEFAULT_COLUMNS]
    if by not in wanted:
        # It replaces another time, so that the table does not get wider.
        at = wanted.index("created") if "created" in wanted else len(wanted)
        wanted[at : at + 1] = [by]
    if REQUIRED_COLUMN not in wanted:
        wanted.insert(1 if wanted[0] == "status" else 0, REQUIRED_COLUMN)
    found = [Column(key, is_shown=True) for key in wanted]
    found += [Column(key) for key in TITLES if key not in wanted]
    return [each for each in found if payload or not each.is_value]


def withheld(asked: str, kept: str) -> list[str]:
    """The titles of the chosen columns that only those who may see payloads get."""
    wanted = (Column(key) for key in read_columns(asked) or read_columns(kept))
    return [each.title for each in wanted if each.is_value]


def read_columns(text: str) -> list[str]:
    """The keys of the columns that a text names, in order, each once.

    Links of earlier releases separate them by dots.
    """
    keys: list[str] = []
    for part in text.split(SEPARATOR):
        key = part.strip()
        keys += [key] if key in TITLES or is_path(key) else key.split(".")
    known = [key for key in dict.fromkeys(keys) if key in TITLES or is_path(key)]
    paths = [key for key in known if key not in TITLES]
    return [key for key in known if key not in paths[MAX_PATHS:]]


def is_path(key: str) -> bool:
    """Whether a text is the path of a value, such as `output.total`."""
    path = read_path(key) if len(key) <= MAX_PATH_LENGTH and SEPARATOR not in key else None
    return bool(path) and len(path or ()) > 1 and path is not None and path[0] in PLACES


def write_columns(keys: Iterable[str]) -> str:
    """Columns as text of the query string and of what is kept."""
    return SEPARATOR.join(read_columns(SEPARATOR.join(keys)))


def moved(keys: Sequence[str], key: str, by: int) -> list[str]:
    """The keys with one of them moved by some places."""
    if key not in keys:
        return [*keys]
    rest = [each for each in keys if each != key]
    at = min(max(keys.index(key) + by, 0), len(rest))
    return [*rest[:at], key, *rest[at:]]
