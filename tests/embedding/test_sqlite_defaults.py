"""On SQLite as Django opens it by default, several processes may write to the system database."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import connections, transaction

from dboshub.workflows.storage.sqlite import SqliteDatabase
from dboshub.workflows.storage.sqlite_file import use_wal
from tests.embedding.conftest import Entry


def waits(alias: str) -> tuple[str | None, int]:
    """How a connection begins transactions, and how many milliseconds it waits for others."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        timeout = cursor.fetchone()[0]
    return connection.transaction_mode, timeout  # type: ignore[attr-defined]


def test_transactions_begin_immediate_and_wait(entry: Entry, settings: Any, tmp_path: Path) -> None:
    alias = settings.DBOS_SYSTEM_DATABASE_ALIAS = entry("sqlite3", NAME=tmp_path / "a.sqlite3")
    assert waits(alias) == ("IMMEDIATE", 20_000)


def test_what_a_project_chose_itself_stays(entry: Entry, settings: Any, tmp_path: Path) -> None:
    chosen = {"transaction_mode": "DEFERRED", "timeout": 3}
    alias = entry("sqlite3", NAME=tmp_path / "a.sqlite3", OPTIONS=chosen)
    settings.DBOS_SYSTEM_DATABASE_ALIAS = alias
    assert waits(alias) == ("DEFERRED", 3_000)


@pytest.mark.parametrize("name", ["theirs.sqlite3", ":memory:"])
def test_other_databases_stay_as_they_are(
    entry: Entry, settings: Any, tmp_path: Path, name: str
) -> None:
    alias = entry("sqlite3", NAME=name if name == ":memory:" else tmp_path / name)
    settings.DBOS_SYSTEM_DATABASE_ALIAS = alias if name == ":memory:" else "default"
    assert waits(alias) == (None, 5_000)


def test_who_reads_and_then_writes_waits_for_the_other_writer(
    entry: Entry, settings: Any, tmp_path: Path
) -> None:
    file = tmp_path / "a.sqlite3"
    alias = settings.DBOS_SYSTEM_DATABASE_ALIAS = entry("sqlite3", NAME=file)
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE counter (number INTEGER)")
    other.execute("INSERT INTO counter VALUES (1)")
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE counter SET number = number + 10")
    ends = threading.Timer(0.5, other.execute, ["COMMIT"])
    ends.start()
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute("SELECT number FROM counter")
        cursor.execute("UPDATE counter SET number = %s", [cursor.fetchone()[0] + 1])
    ends.join()
    assert other.execute("SELECT number FROM counter").fetchone() == (12,)
    other.close()


def test_the_engine_waits_for_a_writer_before_it_switches_to_wal(tmp_path: Path) -> None:
    file = tmp_path / "a.sqlite3"
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE counter (number INTEGER)")
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO counter VALUES (1)")
    ends = threading.Timer(0.5, other.execute, ["COMMIT"])
    ends.start()
    database = SqliteDatabase(file)
    try:
        with database.reading() as session:
            mode = session._execute("PRAGMA journal_mode", {}).fetchone()[0]
            numbers = session._execute("SELECT number FROM counter", {}).fetchall()
    finally:
        database.close()
        ends.join()
        other.close()
    assert (mode, numbers) == ("wal", [(1,)])


def test_a_file_that_cannot_be_in_wal_mode_stays_as_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    memory = sqlite3.connect(":memory:")
    use_wal(memory)
    assert memory.execute("PRAGMA journal_mode").fetchone() == ("memory",)
    assert "stays in journal mode memory" in caplog.text
    memory.close()
