"""One process's membership among the executors, on a database: a port of the heartbeat loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dboshub.workflows.engine.membership.heartbeat import Heartbeat
from dboshub.workflows.engine.membership.leases import ObservedExecutor
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.membership import executors, recover
from dboshub.workflows.storage.membership.executors import Executor
from dboshub.workflows.storage.own_connection import OwnConnection
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.storage.transient_errors import is_transient

RETENTION_MS = 24 * 3600 * 1000  # of ended incarnations, which pages show


class DatabaseMembership:
    """Each call is one statement, or two that need no common transaction.

    PostgreSQL statements use a connection of their own, so that no heartbeat waits for the pool.
    """

    def __init__(self, database: Database, executor: Executor) -> None:
        self._database = database
        self._executor = executor
        self._own = OwnConnection(database.connect)

    def register(self, incarnation: str, functions: str) -> None:
        with self._session() as session:
            executors.register(session, incarnation, self._executor, functions=functions)

    def beat(
        self, incarnation: str, *, busy: int, activity: str | None, functions: str | None
    ) -> Heartbeat | None:
        with self._session() as session:
            return executors.beat(
                session, incarnation, busy=busy, activity=activity, functions=functions
            )

    def declare_dead(self, other: ObservedExecutor, by: str) -> bool:
        with self._session() as session:
            return executors.declare_dead(session, other.incarnation, beat=other.beat, by=by)

    def sweep(self, now_ms: int) -> int:
        application = self._executor.application_name
        with self._session() as session:
            orphans = recover.orphans(session, application=application)
        return self._reenqueue(orphans, now_ms)

    def recover_same_executor_id(self, now_ms: int) -> int:
        with self._session() as session:
            left = recover.same_executor_id(
                session,
                executor_id=self._executor.executor_id,
                version=self._executor.application_version,
                application=self._executor.application_name,
            )
        return self._reenqueue(left, now_ms)

    def reconcile(self, incarnation: str, running: Callable[[], set[str]], now_ms: int) -> int:
        # A workflow that starts or ends during the query is in one of the two sets.
        known = running()
        with self._session() as session:
            held = recover.held_by(session, incarnation, now=now_ms)
        known |= running()
        return self._reenqueue([each for each in held if each[0] not in known], now_ms)

    def forget(self) -> int:
        with self._session() as session:
            return executors.delete_ended(session, retention_ms=RETENTION_MS)

    def stop(self, incarnation: str) -> None:
        try:
            self._stop(incarnation)
        except Exception as error:
            if not is_transient(error):
                raise
            self._stop(incarnation)  # the connection may have been cut since the last beat

    def _stop(self, incarnation: str) -> None:
        with self._session() as session:
            executors.stop(session, incarnation)

    def close(self) -> None:
        self._own.close()

    def _reenqueue(self, owned: list[recover.Owned], now_ms: int) -> int:
        if not owned:
            return 0
        with self._session() as session:
            return recover.reenqueue(session, owned, now=now_ms)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        if self._database.vendor == "sqlite":
            with self._database.writing() as session:
                yield session
            return
        with self._own.use() as connection:
            yield connection.session
