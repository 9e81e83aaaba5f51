"""A SQLite file that is another program's is read without a trace, whatever that program does."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dboshub.workflows.storage.access import Access
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.sql import Statement
from dboshub.workflows.storage.sqlite_file import WalWithoutIndexError, header_of, how_to_read
from tests.support.files import recorded, snapshot

ROWS = Statement("SELECT count(*) FROM notes")
CRASHES = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("INSERT INTO notes VALUES ('second')")
os.kill(os.getpid(), signal.SIGKILL)
"""

TAKES_THE_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0)
connection.execute("BEGIN IMMEDIATE")
"""

HOLDS = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("INSERT INTO notes VALUES ('second')")
print("written", flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["delete", "wal"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file with one row, closed cleanly, in each journal mode."""
    path = tmp_path / "theirs.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode = {request.param}")
        connection.execute("CREATE TABLE notes (text)")
        connection.execute("INSERT INTO notes VALUES ('first')")
    return path


@pytest.fixture
def reading(file: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{file}", access=Access.READ_ONLY)
    yield database
    database.close()


def count(database: Database) -> int:
    with database.reading() as session:
        row = session.one(ROWS)
        assert row is not None
        return int(row[0])


def write(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO notes VALUES ('more')")


def test_a_file_at_rest_is_read_without_a_trace(file: Path, reading: Database) -> None:
    before = snapshot(file)
    assert count(reading) == 1
    assert snapshot(file) == before


def test_what_its_program_writes_afterwards_is_seen(file: Path, reading: Database) -> None:
    counter = reading.change_counter()
    assert counter is not None
    assert count(reading) == 1
    before = counter()
    with closing(sqlite3.connect(file, isolation_level=None)) as theirs:
        write(theirs)
        assert count(reading) == 2
        assert counter() != before
        write(theirs)
        assert count(reading) == 3
    assert count(reading) == 3


def test_what_a_crash_left_beside_it_stays_as_it_is(file: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CRASHES, str(file)], check=False)
    assert done.returncode == -signal.SIGKILL
    before = snapshot(file)
    database = open_database(f"sqlite:///{file}", access=Access.READ_ONLY)
    assert count(database) == 2
    database.close()
    assert snapshot(file) == before


def test_a_crashed_file_that_may_be_written_to_keeps_what_was_recorded(file: Path) -> None:
    subprocess.run([sys.executable, "-c", CRASHES, str(file)], check=False)
    before = recorded(file)
    database = open_database(f"sqlite:///{file}", access=Access.READING)
    assert count(database) == 2
    database.close()
    assert recorded(file) == before


@pytest.mark.parametrize("file", ["wal"], indirect=True)
def test_a_copy_without_its_index_is_refused_with_advice(file: Path) -> None:
    subprocess.run([sys.executable, "-c", CRASHES, str(file)], check=False)
    Path(f"{file}-shm").unlink()
    before = snapshot(file)
    database = open_database(f"sqlite:///{file}", access=Access.READ_ONLY)
    with pytest.raises(WalWithoutIndexError, match="open it once with its application"):
        count(database)
    database.close()
    assert snapshot(file) == before


def test_nothing_can_be_written(file: Path, reading: Database) -> None:
    with reading.reading() as session, pytest.raises(sqlite3.OperationalError, match="readonly"):
        session.run(Statement("DELETE FROM notes"))


def test_a_client_keeps_the_journal_mode(file: Path) -> None:
    before = header_of(file)[18:20]
    database = open_database(f"sqlite:///{file}", access=Access.SHARED)
    with database.writing() as session:
        session.run(Statement("INSERT INTO notes VALUES ('ours')"))
    assert count(database) == 2
    database.close()
    assert header_of(file)[18:20] == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("access", [Access.SHARED, Access.READ_ONLY])
def test_no_file_is_created(tmp_path: Path, access: Access) -> None:
    database = open_database(f"sqlite:///{tmp_path}/none.sqlite3", access=access)
    with pytest.raises((sqlite3.OperationalError, OSError)):
        count(database)
    database.close()
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("file", ["wal"], indirect=True)
def test_readers_leave_the_writers_of_their_process_able_to_write(file: Path) -> None:
    command = [sys.executable, "-c", HOLDS, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as theirs:
        assert theirs.stdout is not None
        assert theirs.stdout.readline() == b"written\n"
        reading = open_database(f"sqlite:///{file}", access=Access.READING)
        assert count(reading) == 2
        writing = open_database(f"sqlite:///{file}", access=Access.SHARED)
        with writing.writing() as session:
            session.run(Statement("INSERT INTO notes VALUES ('ours')"))
        assert count(reading) == 3
        with reading.reading() as session, pytest.raises(sqlite3.OperationalError):
            session.run(Statement("DELETE FROM notes"))
        reading.close()
        writing.close()
        theirs.communicate()


@pytest.mark.parametrize("file", ["delete"], indirect=True)
def test_a_reader_that_is_opened_leaves_the_locks_of_its_process(file: Path) -> None:
    writing = open_database(f"sqlite:///{file}", access=Access.SHARED)
    with writing.writing() as session:
        session.run(Statement("INSERT INTO notes VALUES ('ours')"))
        how_to_read(file, has_writers=True)
        command = [sys.executable, "-c", TAKES_THE_LOCK, str(file)]
        other = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "database is locked" in other.stderr
    writing.close()


@pytest.mark.parametrize("mask", [0o022, 0o000])
def test_a_new_file_is_its_owners_alone(tmp_path: Path, mask: int) -> None:
    file = tmp_path / "new.sqlite3"
    before = os.umask(mask)
    try:
        opened = open_database(f"sqlite:///{file}")
        with opened.writing() as session:
            session.run(Statement("CREATE TABLE one (x)"))
            made = sorted(tmp_path.iterdir())
            assert len(made) == 3
            assert {each.stat().st_mode & 0o777 for each in made} == {0o600}
        opened.close()
    finally:
        os.umask(before)


def test_a_file_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "old.sqlite3"
    file.touch()
    file.chmod(0o640)
    opened = open_database(f"sqlite:///{file}")
    with opened.writing() as session:
        session.run(Statement("CREATE TABLE one (x)"))
    opened.close()
    assert file.stat().st_mode & 0o777 == 0o640
