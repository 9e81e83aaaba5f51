"""Values of SQLite have the types of their columns, whatever another program stored there."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.schema import hub_tables, sqlite_tables
from dboshub.workflows.storage.sql import Statement
from dboshub.workflows.storage.stored_values import LARGEST, SMALLEST, typed

DECLARED = re.compile(r'^ {4}"?(\w+)"? (INTEGER|BIGINT|BOOLEAN|REAL|TEXT)\b', re.M | re.I)
LATER = ("integer", "bigint")


def test_no_name_has_two_types() -> None:
    kinds: dict[str, set[str]] = {}
    for name, kind in DECLARED.findall(sqlite_tables.TABLES + hub_tables.TABLES):
        known = "integer" if kind.lower() in LATER else kind.lower()
        kinds.setdefault(name, set()).add(known)
    assert len(kinds) > 80
    assert {name for name, found in kinds.items() if len(found) > 1} == set()


@pytest.mark.parametrize(
    ("column", "stored", "read"),
    [
        ("created_at", 7, 7),
        ("created_at", None, None),
        ("created_at", 1.9, 1),
        ("created_at", float("inf"), LARGEST),
        ("created_at", -1e300, SMALLEST),
        ("created_at", "abc", LARGEST),
        ("MAX(s.created_at)", b"\xff", LARGEST),
        ("COALESCE(stopped_at, declared_dead_at)", "", LARGEST),
        ("consumed", 9, 1),
        ("consumed", "yes", 1),
        ("polling_interval_sec", "soon", float("inf")),
        ("polling_interval_sec", 0.5, 0.5),
        ("name", b"a\xff", "a\ufffd"),
        ("COUNT(*)", 3, 3),
    ],
)
def test_a_value_becomes_the_nearest_of_its_columns_type(
    column: str, stored: Any, read: Any
) -> None:
    assert typed([column], [(stored,)]) == [(read,)]


def test_text_that_is_no_utf8_is_read_with_marks(tmp_path: Path) -> None:
    path = tmp_path / "file.sqlite3"
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE t (name TEXT, created_at INTEGER)")
        raw.execute("INSERT INTO t VALUES (CAST(x'61ff' AS TEXT), x'ff'), (x'62', 'abc'), ('c', 1)")
    raw.close()
    database = open_database(f"sqlite:///{path}")
    with database.reading() as session:
        rows = session.all(Statement("SELECT name, created_at FROM t ORDER BY created_at"))
    database.close()
    assert rows == [("c", 1), ("b", LARGEST), ("a\ufffd", LARGEST)]
