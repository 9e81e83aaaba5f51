"""The system database on Django's own connections, for a process that executes nothing.

Each thread uses the connection that Django has for it, within the transaction that is open there.
So it needs no pool, no URL and no care at a fork, and sees what a test's transaction holds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg
from django.db import Error, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from dboshub.workflows.bounded_reading import interrupted
from dboshub.workflows.connection import session_on, system_dialect
from dboshub.workflows.engine.clock import DatabaseClock
from dboshub.workflows.engine.errors import DBOSQueryTimeoutError
from dboshub.workflows.storage.database import Sessions
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.postgres import STATEMENT_TIMEOUT
from dboshub.workflows.storage.schema.state import read_state
from dboshub.workflows.storage.sql import Dialect, Session, Statement, Vendor

CURRENT_TIMEOUT = Statement("SELECT current_setting('statement_timeout')")
# How long a measured difference between the clocks of this machine and the database is used.
CLOCK_MEASURED_EVERY_S = 600.0


class DjangoClock(DatabaseClock):
    """The database's time; before its first query in a coroutine, that of this machine."""

    def __init__(self, prepare: Callable[[], None]) -> None:
        super().__init__()
        self._prepare = prepare

    def now_ms(self) -> int:
        self._prepare()
        return super().now_ms()


class DjangoDatabase:
    """Sessions on one alias; the first one checks the tables and the clock.

    Raises SchemaError where the tables cannot be used, and Django's own errors of databases.
    """

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.clock = DjangoClock(self.prepare)
        self._measured_at: float | None = None

    @property
    def connection(self) -> BaseDatabaseWrapper:
        """Django's connection of this thread."""
        return connections[self.alias]

    @property
    def vendor(self) -> Vendor:
        return "sqlite" if self.connection.vendor == "sqlite" else "postgresql"

    @property
    def dialect(self) -> Dialect:
        return system_dialect(self.vendor)

    @property
    def is_in_transaction(self) -> bool:
        """Whether this thread has a transaction open: what is written now is a part of it."""
        return self.connection.in_atomic_block

    def prepare(self) -> None:
        """Check the tables and the clock, unless that was done lately, or would block a loop."""
        if self._is_due() and asyncio._get_running_loop() is None:
            with self.reading():
                pass

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with self._guarded():
            yield self._session()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction, or a savepoint in the one that is open."""
        with self._guarded(), transaction.atomic(using=self.alias):
            yield self._session()

    @contextmanager
    def reading_with_timeout(self, seconds: float) -> Iterator[Session]:
        limit = self._interrupted if self.vendor == "sqlite" else self._with_statement_timeout
        with limit(seconds) as session:
            yield session

    @contextmanager
    def _with_statement_timeout(self, seconds: float) -> Iterator[Session]:
        try:
            with self.writing() as session:
                # The transaction may be the caller's, whose own limit holds again afterwards.
                row = session.one(CURRENT_TIMEOUT)
                session.one(STATEMENT_TIMEOUT, timeout=f"{max(1, int(seconds * 1000))}ms")
                yield session
                session.one(STATEMENT_TIMEOUT, timeout=row[0] if row else "0")
        except OperationalError as error:
            if isinstance(error.__cause__, psycopg.errors.QueryCanceled):
                raise DBOSQueryTimeoutError(seconds) from error
            raise

    @contextmanager
    def _interrupted(self, seconds: float) -> Iterator[Session]:
        try:
            with self.reading() as session, interrupted(session, seconds) as bounded:
                yield bounded
        except OperationalError as error:
            if str(error) == "interrupted":
                raise DBOSQueryTimeoutError(seconds) from error
            raise

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Leave no broken connection behind for the thread's next call."""
        try:
            yield
        except Error:
            if not self.is_in_transaction:
                self.connection.close_if_unusable_or_obsolete()
            raise

    def _session(self) -> Session:
        session = session_on(self.alias)
        if self._is_due():
            self._check(session)
        return session

    def _is_due(self) -> bool:
        measured = self._measured_at
        return measured is None or time.monotonic() - measured > CLOCK_MEASURED_EVERY_S

    def _check(self, session: Session) -> None:
        if self._measured_at is None:
            read_state(session).verify()
        began = time.monotonic()
        now = database_now(session)
        ended = time.monotonic()
        self.clock.adjust(now, (began + ended) / 2)
        self._measured_at = ended


class JoiningSessions:
    """Sessions on a database of the engine's, or in the transaction that this thread has open."""

    def __init__(self, database: Sessions, alias: str) -> None:
        self._database = database
        self._django = DjangoDatabase(alias)

    @property
    def dialect(self) -> Dialect:
        return self._database.dialect

    @property
    def vendor(self) -> Vendor:
        return self._database.vendor

    def reading(self) -> AbstractContextManager[Session]:
        return self._here().reading()

    def reading_with_timeout(self, seconds: float) -> AbstractContextManager[Session]:
        return self._here().reading_with_timeout(seconds)

    def writing(self) -> AbstractContextManager[Session]:
        return self._here().writing()

    def _here(self) -> Sessions:
        return self._django if self._django.is_in_transaction else self._database
