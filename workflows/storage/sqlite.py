"""SQLite: one writer, several readers, every commit durable; a database of our own in WAL mode."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dboshub.workflows.engine.errors import DBOSQueryTimeoutError
from dboshub.workflows.storage.access import Access
from dboshub.workflows.storage.connection_errors import cannot_open
from dboshub.workflows.storage.database import Planner
from dboshub.workflows.storage.sql import Cursor, Dialect, Session, Vendor
from dboshub.workflows.storage.sqlite_file import (
    FileState,
    create_private,
    how_to_read,
    state_of,
    uri_to_write,
    use_wal,
)
from dboshub.workflows.storage.stored_values import lenient_text

# FULL: an acknowledged commit survives a power failure, not only a crash.
_PRAGMAS = (
    "PRAGMA busy_timeout=30000",
    "PRAGMA foreign_keys=ON",
    "PRAGMA synchronous=FULL",
    "PRAGMA temp_store=MEMORY",
)

# How often a timeout is checked, in instructions of SQLite's virtual machine: below a millisecond.
CHECK_EVERY = 10_000
MAX_IDLE_READERS = 4
READERS = (Access.READING, Access.READ_ONLY)


class SqliteConnection:
    """One connection in autocommit mode, usable by one thread at a time."""

    def __init__(self, dialect: Dialect, raw: sqlite3.Connection) -> None:
        self.raw = raw
        for pragma in _PRAGMAS:
            raw.execute(pragma)
        self.session = _session(dialect, self.current)

    def current(self) -> sqlite3.Connection:
        """What the next statement runs on."""
        return self.raw

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        # IMMEDIATE: a deferred transaction that becomes a writer fails at once with "database is
        # locked", whatever the timeout.
        self.raw.execute("BEGIN IMMEDIATE")
        try:
            yield self.session
            self.raw.execute("COMMIT")
        except BaseException:
            # After an error of the disk SQLite has rolled back by itself.
            if self.raw.in_transaction:
                self.raw.execute("ROLLBACK")
            raise

    def close(self) -> None:
        self.raw.close()


class ReadingConnection(SqliteConnection):
    """Reads a file and changes nothing in it or beside it, while others may write to it."""

    # What the file was like when it was opened as immutable; None while SQLite sees changes.
    _still: FileState | None = None

    def __init__(self, dialect: Dialect, path: Path, *, has_writers: bool) -> None:
        self._path = path
        self._has_writers = has_writers
        super().__init__(dialect, self._open())

    def current(self) -> sqlite3.Connection:
        if self._still is not None and self._still != state_of(self._path):
            self.raw.close()
            self.raw = self._open()
        return self.raw

    def _open(self) -> sqlite3.Connection:
        uri, self._still = how_to_read(self._path, has_writers=self._has_writers)
        return _connect(uri, is_uri=True)


class SqliteDatabase:
    """One system database in one file."""

    vendor: Vendor = "sqlite"

    def __init__(self, path: Path, access: Access = Access.OWN) -> None:
        self.path = path.absolute()
        self.access = access
        self.dialect = Dialect("sqlite", "main", pyformat=False)
        self._lock = threading.Lock()
        self._write_lock = threading.RLock()
        self._writer: SqliteConnection | None = None
        self._counter: SqliteConnection | None = None
        self._idle: list[SqliteConnection] = []
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with self._reader() as connection:
            yield connection.session

    @contextmanager
    def reading_with_timeout(self, seconds: float) -> Iterator[Session]:
        deadline = time.monotonic() + seconds
        with self._reader() as connection:
            connection.raw.set_progress_handler(lambda: time.monotonic() > deadline, CHECK_EVERY)
            try:
                yield connection.session
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                    raise DBOSQueryTimeoutError(seconds) from error
                raise
            finally:
                connection.raw.set_progress_handler(None, 0)

    @contextmanager
    def _reader(self) -> Iterator[SqliteConnection]:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        connection = connection or self.connect()
        try:
            yield connection
        finally:
            with self._lock:
                keep = not self._closed and len(self._idle) < MAX_IDLE_READERS
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        with self._write_lock:
            if self._writer is None:
                self._writer = self.connect()
            with self._writer.transaction() as session:
                yield session

    def check_connection(self, *, create: bool) -> None:
        if not create and not self.path.exists():
            raise cannot_open(self.path, FileNotFoundError())
        try:
            connection = self.connect()
            try:
                # The header is read now, and what a crash left behind is met.
                connection.raw.execute("SELECT count(*) FROM sqlite_master")
            finally:
                connection.close()
        except (sqlite3.Error, OSError) as error:
            raise cannot_open(self.path, error) from None

    def connect(self, *, planner: Planner | None = None) -> SqliteConnection:
        if self.access in READERS:
            has_writers = self.access is Access.READING
            return ReadingConnection(self.dialect, self.path, has_writers=has_writers)
        if self.access is Access.SHARED:
            raw = _connect(uri_to_write(self.path), is_uri=True)
            return SqliteConnection(self.dialect, raw)
        with suppress(OSError):
            # Where it cannot be made, SQLite says so below.
            create_private(self.path)
        connection = SqliteConnection(self.dialect, _connect(str(self.path), is_uri=False))
        use_wal(connection.raw)
        return connection

    def change_counter(self) -> Callable[[], int]:
        """``data_version`` of a connection of its own: changes when any other one commits.

        For readers it is a digest of the file's size and times.
        """
        if self.access in READERS:
            return lambda: hash(state_of(self.path))
        connection = self._counter = self._counter or self.connect()

        def counter() -> int:
            return int(connection.raw.execute("PRAGMA data_version").fetchone()[0])

        return counter

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        with self._write_lock:
            for kept in (self._writer, self._counter):
                if kept is not None:
                    kept.close()
            self._writer = self._counter = None


def _connect(place: str, *, is_uri: bool) -> sqlite3.Connection:
    raw = sqlite3.connect(place, uri=is_uri, isolation_level=None, check_same_thread=False)
    raw.text_factory = lenient_text
    return raw


def _session(dialect: Dialect, raw: Callable[[], sqlite3.Connection]) -> Session:
    def execute(text: str, params: dict[str, Any]) -> Cursor:
        return raw().execute(text, params)

    def script(text: str) -> None:
        # executescript() would commit the caller's transaction first.
        for statement in split_script(text):
            raw().execute(statement)

    return Session(dialect, execute, script)


def split_script(text: str) -> Iterator[str]:
    """The statements of a script, each complete by SQLite's own parser."""
    pending = ""
    for line in text.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip():
        yield pending
