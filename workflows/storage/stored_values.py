"""Values of SQLite as the types of their columns. SQLite stores any value in any column.

Another program may have stored text or bytes where a number belongs, bytes where text belongs, or
text that is no UTF-8. Reading it must not fail, and a statement that sorts or pages by a column
must go on behind it. So a value becomes the nearest one of its column's type in SQLite's order:
text and bytes, which come after all numbers there, become the largest integer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from dboshub.workflows.storage.schema import hub_tables, sqlite_tables

LARGEST, SMALLEST = 2**63 - 1, -(2**63)

_COLUMN = re.compile(r'^ {4}"?(\w+)"? (INTEGER|BIGINT|BOOLEAN|REAL|TEXT)\b', re.MULTILINE | re.I)
_OF_COLUMN = re.compile(r"^(?:MIN|MAX|COALESCE)\((?:\w+\.)?(\w+)\b.*")

Conversion = Callable[[Any], Any]


def lenient_text(data: bytes) -> str:
    """Text of SQLite; what is no UTF-8 in it is replaced."""
    return data.decode("utf-8", "replace")


def whole(value: Any) -> Any:
    """The nearest integer; None stays None."""
    if value is None or type(value) is int:
        return value
    if isinstance(value, float):
        return int(min(max(value, SMALLEST), LARGEST))
    return LARGEST


def real(value: Any) -> Any:
    """The nearest number; None stays None."""
    return float("inf") if isinstance(value, str | bytes) else value


def flag(value: Any) -> Any:
    """0 or 1; None stays None."""
    return value if value is None or value in (0, 1) else 1


def text(value: Any) -> Any:
    """Bytes as text; anything else stays."""
    return lenient_text(value) if isinstance(value, bytes) else value


_AS = {"integer": whole, "bigint": whole, "boolean": flag, "real": real}
# By name: none has two types in two tables, as a test asserts.
_CONVERSIONS = {
    name: _AS[kind.lower()]
    for name, kind in _COLUMN.findall(sqlite_tables.TABLES + hub_tables.TABLES)
    if kind.lower() in _AS
}


def typed(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Rows whose values have the types of the columns of these names.

    Without a name SQLite calls the extreme of a column `MAX(created_at)`: that has its type, too.
    """
    known = [(at, found) for at, name in enumerate(columns) if (found := _conversion(name))]
    return [_typed(tuple(row), known) for row in rows]


@lru_cache(maxsize=1_024)
def _conversion(name: str) -> Conversion | None:
    return _CONVERSIONS.get(_OF_COLUMN.sub(r"\1", name))


def _typed(row: tuple[Any, ...], known: Sequence[tuple[int, Conversion]]) -> tuple[Any, ...]:
    values = [*row]
    for at, conversion in known:
        values[at] = conversion(values[at])
    return tuple(map(text, values))
