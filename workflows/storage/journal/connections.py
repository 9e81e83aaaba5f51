"""The journal's database connections, each used by one thread at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import psycopg

from dboshub.workflows.engine.journal.writes import DONE, LOCKED, Answer, StartWrite, Write
from dboshub.workflows.storage.journal.messages import largest_value
from dboshub.workflows.storage.journal.postgres_at_once import Found, statement_of
from dboshub.workflows.storage.journal.postgres_batch import Batch, created
from dboshub.workflows.storage.journal.single import apply_single
from dboshub.workflows.storage.postgres import PostgresConnection, PostgresDatabase
from dboshub.workflows.storage.sql import Row, Session
from dboshub.workflows.storage.sqlite import SqliteDatabase
from dboshub.workflows.storage.transient_errors import raising_unavailable

# An isolated write hardly waits for a row that another transaction has locked: the caller tries
# again. Its COMMIT may wait: commits that notify exclude each other. Each line is one round trip.
BEGIN = b"BEGIN; SET LOCAL lock_timeout = '2ms'"
# For one statement and its commit. What takes longer is tried again in a transaction.
LOCK_TIMEOUT = b"SET lock_timeout = '10ms'"
COMMIT = b"SET LOCAL lock_timeout = '5s'; COMMIT"
# A plan that was made for a small table, and kept, would read all of it when it has grown.
BY_KEY = {"enable_seqscan": "off"}
# Characters. The statement of a smaller write keeps its cursor, and the write's parameters with it.
SMALL = 64 * 1024


class SqliteJournalConnection:
    """Applies a group of writes in one transaction of the process's only writer."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    def apply(self, writes: Sequence[Write], *, now: int) -> list[Answer]:
        with raising_unavailable(), self._database.writing() as session:
            return [apply_single(session, write, now=now) for write in writes]

    def apply_isolated(self, write: Write, *, now: int) -> Answer:
        return self.apply([write], now=now)[0]

    def largest(self, writes: Sequence[Write]) -> int:
        with raising_unavailable(), self._database.reading() as session:
            return largest_value(session, writes)

    def close(self) -> None:
        """Do nothing: the database owns the writer and keeps it open."""


class PostgresJournalConnection:
    """Applies a group of writes in a few set-based statements: one round trip, one commit."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._connection: PostgresConnection | None = None
        self._waits_briefly = False

    def apply(self, writes: Sequence[Write], *, now: int) -> list[Answer]:
        with raising_unavailable():
            connection = self._open()
            found = statement_of(writes[0], now) if len(writes) == 1 else None
            if found is not None:
                return [_answer(writes[0]) if _written(connection, found, writes[0]) else LOCKED]
            batch = Batch(writes, now)
            return batch.answers(connection.batch(batch.statements))

    def apply_isolated(self, write: Write, *, now: int) -> Answer:
        with raising_unavailable():
            try:
                if self._apply_at_once(write, now):
                    return _answer(write)
                with _without_waiting(self._open()) as session:
                    return apply_single(session, write, now=now)
            except psycopg.errors.LockNotAvailable:
                return LOCKED

    def largest(self, writes: Sequence[Write]) -> int:
        with raising_unavailable():
            return largest_value(self._open().session, writes)

    def _apply_at_once(self, write: Write, now: int) -> bool:
        """Apply a write by one statement; False if that wrote nothing."""
        found = statement_of(write, now)
        connection = self._open()
        if found is None or not connection.keeps_settings:
            return False
        if not self._waits_briefly:
            connection.raw.execute(LOCK_TIMEOUT)
            self._waits_briefly = True
        try:
            return bool(_written(connection, found, write))
        except psycopg.errors.LockNotAvailable:
            return False

    def close(self) -> None:
        connection, self._connection = self._connection, None
        self._waits_briefly = False
        if connection is not None:
            with suppress(Exception):
                connection.close()

    def _open(self) -> PostgresConnection:
        # One that an error left within a statement answers nothing any more.
        if self._connection is not None and not self._connection.is_idle:
            self.close()
        if self._connection is None:
            self._connection = self._database.connect(planner=BY_KEY)
        return self._connection


def _answer(write: Write) -> Answer:
    """The answer to a write that its statement has written."""
    return created(write) if isinstance(write, StartWrite) else DONE


def _written(connection: PostgresConnection, found: Found, write: Write) -> Sequence[Row]:
    """What the statement of one write returns of it; nothing if it is recorded already."""
    try:
        if write.size <= SMALL:
            return connection.rows(*found)
        return connection.session.cursor(*found).fetchall()
    except psycopg.errors.UniqueViolation:
        return ()


@contextmanager
def _without_waiting(connection: PostgresConnection) -> Iterator[Session]:
    """A transaction whose statements raise LockNotAvailable for a row that is locked."""
    raw = connection.raw
    raw.execute(BEGIN)
    try:
        yield connection.session
        raw.execute(COMMIT)
    except BaseException:
        with suppress(psycopg.Error):
            raw.rollback()
        raise
