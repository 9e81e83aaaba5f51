"""PostgreSQL: a connection pool for calls, dedicated connections for journal and listeners."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.types.string import TextLoader
from psycopg_pool import ConnectionPool

from dboshub.workflows.engine.errors import DBOSQueryTimeoutError
from dboshub.workflows.storage.access import READ_ONLY_OPTION, Access
from dboshub.workflows.storage.answers import KEEPALIVES, AnsweredConnection
from dboshub.workflows.storage.connection_errors import (
    CONNECT_TIMEOUT_S,
    REACH_TIMEOUT_S,
    cannot_connect,
)
from dboshub.workflows.storage.database import Planner
from dboshub.workflows.storage.database_urls import libpq_parameters
from dboshub.workflows.storage.reconnecting import STEADY
from dboshub.workflows.storage.row_locks import LOCK_TIMEOUT, are_brief
from dboshub.workflows.storage.sql import Cursor, Dialect, Session, Statement, Vendor

POOL_CLOSE_S = 1.0  # for the pool's own threads, which may be connecting
# For this transaction only: behind a pooler others use the connection next.
STATEMENT_TIMEOUT = Statement("SELECT set_config('statement_timeout', :timeout, true)")
IDLE_TIMEOUT = "SELECT set_config('idle_in_transaction_session_timeout', %s, false)"
SET_PLANNER = "SELECT set_config(key, value, false) FROM json_each_text(CAST(%s AS json))"
_PARAMETERS: dict[str, Any] = {"application_name": "dboshub", **KEEPALIVES}
RawConnection = psycopg.Connection[tuple[Any, ...]]


class PostgresConnection:
    """One autocommit connection, which its owner keeps and closes."""

    def __init__(self, dialect: Dialect, raw: RawConnection, *, keeps_settings: bool) -> None:
        """`keeps_settings`: whether what SET changes holds for the next statement."""
        self.raw = raw
        self.keeps_settings = keeps_settings
        self.session = _session(dialect, raw)
        self._repeating = _session(dialect, raw, keeps_cursors=True)

    @property
    def pid(self) -> int | None:
        """The server process of this connection; None if a pooler may change it."""
        return self.raw.info.backend_pid if self.keeps_settings else None

    @property
    def is_idle(self) -> bool:
        """Whether it is open, and neither a statement nor a transaction is under way."""
        return self.raw.info.transaction_status is TransactionStatus.IDLE

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        with self.raw.transaction():
            yield self.session

    def rows(self, statement: Statement, params: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
        """Execute one of a few statements whose parameters are small; return its rows."""
        return self._repeating.cursor(statement, params).fetchall()

    def batch(
        self, statements: Sequence[tuple[Statement, dict[str, Any]]]
    ) -> list[Sequence[tuple[Any, ...]]]:
        """Execute independent statements in one round trip and transaction; return their rows."""
        if len(statements) == 1:
            # A single statement commits by itself, which saves BEGIN and COMMIT.
            return [self.session.cursor(*statements[0]).fetchall()]
        with self.raw.pipeline(), self.raw.transaction():
            cursors = [self.session.cursor(*each) for each in statements]
        return [cursor.fetchall() for cursor in cursors]

    def close(self) -> None:
        self.raw.close()


class PostgresDatabase:
    """One system database on PostgreSQL 14 or later."""

    vendor: Vendor = "postgresql"

    def __init__(
        self,
        url: str,
        *,
        schema: str,
        pool_size: int,
        behind_pooler: bool = False,
        idle_timeout: float | None = None,
        retries_unavailable: bool = True,
        access: Access = Access.OWN,
    ) -> None:
        self.url = url
        self._given = libpq_parameters(url)
        # A pooler in transaction mode keeps no session settings.
        self._keeps_settings = not behind_pooler
        self._idle_timeout = None if behind_pooler else idle_timeout
        self._parameters = {
            **_PARAMETERS,
            "connect_timeout": self._given.get("connect_timeout", CONNECT_TIMEOUT_S),
            "autocommit": True,
        }
        if behind_pooler:
            # In transaction mode each statement may reach another server connection.
            self._parameters["prepare_threshold"] = None
        elif access is Access.READ_ONLY:
            # Not behind a pooler: the setting would stay with the server's session for others.
            self._parameters["options"] = read_only_options(url)
        self.dialect = Dialect("postgresql", schema, pyformat=True)
        # The pool connects on first use, so that opening a database neither fails nor waits.
        self._pool = ConnectionPool(
            url,
            kwargs=self._parameters,
            connection_class=AnsweredConnection,
            min_size=0,
            max_size=pool_size,
            timeout=30 if retries_unavailable else 5,
            open=False,
            configure=self._configure,
            **STEADY,
        )

    @contextmanager
    def reading(self) -> Iterator[Session]:
        self._pool.open()
        with self._pool.connection() as raw:
            yield _session(self.dialect, raw)

    @contextmanager
    def reading_with_timeout(self, seconds: float) -> Iterator[Session]:
        try:
            with self.writing() as session:
                session.one(STATEMENT_TIMEOUT, timeout=f"{max(1, int(seconds * 1000))}ms")
                yield session
        except psycopg.errors.QueryCanceled as error:
            raise DBOSQueryTimeoutError(seconds) from error

    @contextmanager
    def writing(self) -> Iterator[Session]:
        self._pool.open()
        with self._pool.connection() as raw, raw.transaction():
            if are_brief():
                raw.execute(LOCK_TIMEOUT)
            yield _session(self.dialect, raw)

    def check_connection(self, *, create: bool) -> None:
        timeout = float(self._given.get("connect_timeout", REACH_TIMEOUT_S))
        try:
            if create:
                create_if_missing(self.url, timeout=timeout)
            else:
                psycopg.connect(self.url, connect_timeout=int(timeout)).close()
        except psycopg.Error as error:
            raise cannot_connect(self._given, error, timeout=timeout) from None

    def connect(self, *, planner: Planner | None = None) -> PostgresConnection:
        raw = self.connect_raw()
        if planner and self._keeps_settings:
            raw.execute(SET_PLANNER, [json.dumps(dict(planner))])
            if "plan_cache_mode" in planner:
                raw.prepare_threshold = 0  # only what is prepared has a plan to keep
        return PostgresConnection(self.dialect, raw, keeps_settings=self._keeps_settings)

    def connect_raw(self) -> RawConnection:
        raw: RawConnection = AnsweredConnection.connect(self.url, **self._parameters)
        self._configure(raw)
        return raw

    def _configure(self, raw: RawConnection) -> None:
        # Limits are counted under a lock: each statement must see all commits before it.
        raw.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        # As text, which is parsed with limits: the driver's parser raises for what it cannot read.
        raw.adapters.register_loader("jsonb", TextLoader)
        if self._idle_timeout and self._idle_timeout > 0:
            raw.execute(IDLE_TIMEOUT, [f"{max(1, int(self._idle_timeout * 1000))}ms"])

    def change_counter(self) -> Callable[[], int] | None:
        return None

    def close(self) -> None:
        self._pool.close(timeout=POOL_CLOSE_S)


def read_only_options(url: str) -> str:
    """The startup options of a URL, and the one that lets sessions only read."""
    given = conninfo_to_dict(url).get("options")
    return f"{given or ''} {READ_ONLY_OPTION}".strip()


def database_identity(url: str) -> tuple[str, ...]:
    """Name, host, port and service of the database that a libpq URL leads to, as far as it says."""
    found = conninfo_to_dict(url)
    given = {"port": "5432"} | {key: str(value) for key, value in found.items() if value}
    return tuple(given.get(key, "") for key in ("dbname", "host", "port", "service"))


def create_if_missing(url: str, *, timeout: float) -> None:
    """Create the database itself when the server has none of that name, as DBOS does.

    Each connection waits `timeout` seconds for an answer.
    """
    name = str(conninfo_to_dict(url).get("dbname") or "")
    try:
        psycopg.connect(url, connect_timeout=int(timeout)).close()
    except psycopg.OperationalError as error:
        if f'database "{name}" does not exist' not in str(error):
            raise
        with psycopg.connect(
            url, dbname="postgres", autocommit=True, connect_timeout=int(timeout)
        ) as server:
            try:
                server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            except psycopg.errors.DuplicateDatabase:
                pass  # another process created it at the same time


def drop(url: str) -> None:
    """Drop the database and close all its connections. Raises DatabaseUnreachableError."""
    given = libpq_parameters(url)
    timeout = float(given.get("connect_timeout", REACH_TIMEOUT_S))
    try:
        server = psycopg.connect(
            url, dbname="postgres", autocommit=True, connect_timeout=int(timeout)
        )
    except psycopg.Error as error:
        raise cannot_connect(given, error, timeout=timeout) from None
    with server:
        command = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        server.execute(command.format(sql.Identifier(given.get("dbname", ""))))


def _session(dialect: Dialect, raw: RawConnection, *, keeps_cursors: bool = False) -> Session:
    """A session; if it `keeps_cursors`, rows must be fetched before a statement is repeated.

    Its statements are prepared at once then, where the connection may prepare any. A kept cursor
    knows how to adapt the next parameters, and keeps the last ones.
    """
    cursors: dict[str, tuple[psycopg.Cursor[tuple[Any, ...]], bytes]] = {}

    def execute(text: str, params: dict[str, Any]) -> Cursor:
        return raw.execute(text.encode(), params)

    def execute_again(text: str, params: dict[str, Any]) -> Cursor:
        cursor, encoded = cursors.get(text) or cursors.setdefault(
            text, (raw.cursor(), text.encode())
        )
        return cursor.execute(encoded, params, prepare=True)

    def script(text: str) -> None:
        raw.execute(text.encode())

    return Session(dialect, execute_again if keeps_cursors else execute, script)
