"""Databases of the real dbos library, and all that could be changed in one."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from dboshub.workflows.storage.database_urls import sqlite_path
from tests.support.files import recorded, snapshot

PROGRAM = Path(__file__).parent / "foreign_program.py"
ENDED, FAILED, WAITING = "o-1", "f/1", "later"
CRASH = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("UPDATE workflow_status SET updated_at = updated_at + 1")
os.kill(os.getpid(), signal.SIGKILL)
"""
# Every object and its definition, and what the server counted of writes.
CATALOG = {
    "schemas": "SELECT nspname, nspacl::text FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)'",
    "relations": """
        SELECT oid::regclass::text, relkind::text, relfilenode, reloptions::text, relacl::text
        FROM pg_class
        WHERE relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
    """,
    "columns": """
        SELECT attrelid::regclass::text, attname, atttypid::regtype::text, attnotnull
        FROM pg_attribute
        WHERE attrelid IN (
            SELECT oid FROM pg_class
            WHERE relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
        )
    """,
    "constraints": "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint",
    "functions": "SELECT oid::regprocedure::text, prosrc FROM pg_proc WHERE oid >= 16384",
    "triggers": "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger",
    "settings": "SELECT setdatabase, setrole, setconfig::text FROM pg_db_role_setting",
}
TABLES = """
    SELECT oid::regclass::text FROM pg_class
    WHERE relkind = 'r' AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
"""


def make(url: str) -> None:
    """Let the real library make its tables and rows."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM), url], capture_output=True, text=True, cwd=PROGRAM.parent
    )
    assert done.returncode == 0, done.stderr


def switch_to_wal(url: str) -> None:
    """Do what some applications do to their file."""
    with closing(sqlite3.connect(sqlite_path(url), isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def crash(url: str) -> None:
    """Leave what a killed writer leaves beside its file."""
    done = subprocess.run([sys.executable, "-c", CRASH, str(sqlite_path(url))], check=False)
    assert done.returncode == -signal.SIGKILL


def dump(url: str, *, with_index: bool = True) -> dict[str, Any]:
    """Whatever a change would show in: each row with its version, each definition, each byte.

    Without `with_index` the content of a ``-shm`` file is left out, as in `recorded`.
    """
    if url.startswith("sqlite"):
        path = sqlite_path(url)
        files = snapshot(path) if with_index else recorded(path)
        return {**files, "modified": os.stat(path).st_mtime_ns}
    with psycopg.connect(url) as connection:

        def rows(query: str) -> list[tuple[Any, ...]]:
            return sorted(connection.execute(query.encode()).fetchall(), key=repr)

        found: dict[str, Any] = {name: rows(query) for name, query in CATALOG.items()}
        for (table,) in rows(TABLES):
            found[table] = rows(f"SELECT xmin::text, ctid::text, * FROM {table}")
        return found


def assert_unchanged(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Name what differs, not all that there is."""
    different = [key for key in {*before, *after} if before.get(key) != after.get(key)]
    assert not different, {key: (before.get(key), after.get(key)) for key in different}
