"""The system database on Django's own connections, for a process that executes nothing.

Each thread uses the connection that Django has for it, within the transaction that is open there.
So it needs no pool, no URL and no care at a fork, and sees what a test's transaction holds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import psycopg
from asgiref.sync import sync_to_async
from django.db import Error, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from dboshub.workflows.bounded_reading import interrupted
from dboshub.workflows.connection import session_on, system_dialect
from dboshub.workflows.django_database_url import is_in_memory
from dboshub.workflows.engine.clock import DatabaseClock
from dboshub.workflows.engine.errors import DBOSQueryTimeoutError
from dboshub.workflows.engine.journal.writes import Answer, Write
from dboshub.workflows.engine.runtime.threads import Threads
from dboshub.workflows.engine.waiting.notices import Notice, Notices
from dboshub.workflows.engine.waiting.waits import Waits
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.journal.single import apply_single
from dboshub.workflows.storage.postgres import STATEMENT_TIMEOUT
from dboshub.workflows.storage.schema.state import read_state
from dboshub.workflows.storage.sql import Dialect, Session, Statement, Vendor
from dboshub.workflows.storage.waiting.notify import notify

logger = logging.getLogger("dboshub")

CURRENT_TIMEOUT = Statement("SELECT current_setting('statement_timeout')")
# How long a measured difference between the clocks of this machine and the database is used.
CLOCK_MEASURED_EVERY_S = 600.0


class DjangoDatabase:
    """Sessions on one alias; the first one checks the tables and the clock.

    Raises SchemaError where the tables cannot be used, and Django's own errors of databases.
    """

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.clock = DatabaseClock()
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
        """Check the tables and the clock, unless that was done lately."""
        if self._is_due():
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


class DjangoWrites:
    """Durable writes in the transaction that is open, or each in one of its own."""

    def __init__(self, database: DjangoDatabase) -> None:
        self._database = database

    def apply(self, write: Write, *, now: int) -> Answer:
        with self._database.writing() as session:
            return apply_single(session, write, now=now)

    async def apply_async(self, write: Write, *, now: int) -> Answer:
        """On the thread that Django's ORM uses for this coroutine."""
        answer: Answer = await sync_to_async(self.apply)(write, now=now)
        return answer

    def on_commit(self, callback: Callable[[], None]) -> None:
        """At once: what is called publishes notices, and NoticesOnCommit awaits the commit."""
        callback()


class DjangoJournalConnection:
    """The journal's own way, for groups of writes that no caller's transaction takes in."""

    def __init__(self, database: DjangoDatabase) -> None:
        self._database = database

    def apply(self, writes: Sequence[Write], *, now: int) -> list[Answer]:
        with self._database.writing() as session:
            return [apply_single(session, write, now=now) for write in writes]

    def apply_isolated(self, write: Write, *, now: int) -> Answer:
        return self.apply([write], now=now)[0]

    def close(self) -> None:
        """Django closes its connections."""


class NoticesOnCommit(Notices):
    """Tells local waiters and other processes of what this thread's transaction commits."""

    def __init__(self, waits: Waits, database: DjangoDatabase) -> None:
        super().__init__(waits)
        self._database = database

    def publish(self, notices: Iterable[Notice]) -> None:
        listed = [*notices]
        if asyncio._get_running_loop() is not None:
            in_django_thread(lambda: self._tell_all(listed))
        elif self._database.is_in_transaction:
            tell = partial(self._tell_all, listed)
            transaction.on_commit(tell, using=self._database.alias, robust=True)
        else:
            self._tell_all(listed)

    def _tell_all(self, notices: list[Notice]) -> None:
        super().publish(notices)
        # On SQLite other processes see the commit itself.
        if self._database.vendor == "postgresql":
            try:
                with self._database.reading() as session:
                    notify(session, notices)
            except Exception as error:
                logger.info("notices were not sent, others will poll: %s", error)


class DjangoThreads(Threads):
    """Blocking work of coroutines, on the thread that Django's ORM uses for them."""

    def submit(self, task: Callable[[], None]) -> None:
        in_django_thread(task)


_tasks: set[asyncio.Task[None]] = set()


def in_django_thread(task: Callable[[], None]) -> None:
    """Run it where ``sync_to_async`` does; without a running loop, here and now."""
    if asyncio._get_running_loop() is None:
        task()
        return
    running = asyncio.create_task(_run(task))
    # The loop itself remembers its tasks weakly.
    _tasks.add(running)
    running.add_done_callback(_tasks.discard)


async def _run(task: Callable[[], None]) -> None:
    await sync_to_async(task)()


def refuses_to_wait(database: DjangoDatabase, *, is_bounded: bool) -> bool:
    """Whether nothing that happens elsewhere could end a wait on this thread.

    A transaction of SQLite sees no later commit, and keeps others from writing; on PostgreSQL
    what it enqueued itself would never start.
    """
    if asyncio._get_running_loop() is not None or not database.is_in_transaction:
        return False
    is_alone = database.vendor == "sqlite" and not is_in_memory(database.connection)
    return is_alone or not is_bounded
