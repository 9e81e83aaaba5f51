"""A session on a connection that the caller owns; the caller commits it or rolls it back.

It may be a SQLAlchemy connection or session, a psycopg or sqlite3 connection, or Django's. The
module imports neither SQLAlchemy nor Django.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.journal.writes import Answer, BulkStartWrite, StartWrite, Write
from dboshub.workflows.storage.journal.single import apply_single
from dboshub.workflows.storage.sql import Cursor, Dialect, Execute, Session, Vendor
from dboshub.workflows.storage.sqlalchemy_result import ResultOfSqlalchemy

_NO_TRANSACTION = (
    "the connection has no open transaction, so the rows would not be written together: "
    "begin one, and commit it when your own data is in it"
)
_ACCEPTED = "give a SQLAlchemy connection or session, a psycopg or sqlite3 connection, or Django's"


def session_on(connection: Any, *, vendor: Vendor, schema: str) -> Session:
    """A session in the caller's transaction.

    Raises DBOSException if it is no connection to such a database, or has no open transaction.
    """
    found, execute, is_pyformat = _adapted(connection)
    if found != vendor:
        raise DBOSException(f"the connection is to {found}, but the system database is {vendor}")
    dialect = Dialect(vendor, schema if vendor == "postgresql" else "main", pyformat=is_pyformat)

    def script(text: str) -> None:
        raise DBOSException("a caller's connection executes no scripts")

    return Session(dialect, execute, script)


def _adapted(connection: Any) -> tuple[str, Execute, bool]:
    """Its vendor, a function that executes SQL on it, and whether it accepts ``%(name)s``."""
    if isinstance(connection, psycopg.Connection):
        if connection.info.transaction_status == TransactionStatus.IDLE and connection.autocommit:
            raise DBOSException(_NO_TRANSACTION)
        return "postgresql", _on_psycopg(connection), True
    if isinstance(connection, sqlite3.Connection):
        if connection.isolation_level is None and not connection.in_transaction:
            raise DBOSException(_NO_TRANSACTION)
        return "sqlite", connection.execute, False
    if hasattr(connection, "in_atomic_block"):
        if not connection.in_atomic_block:
            raise DBOSException(_NO_TRANSACTION)
        return connection.vendor, _on_django(connection), True
    if hasattr(connection, "get_bind") and callable(getattr(connection, "connection", None)):
        connection = connection.connection()  # of a SQLAlchemy session, which begins a transaction
    if hasattr(connection, "exec_driver_sql"):
        dialect = connection.dialect
        if dialect.paramstyle not in ("pyformat", "named", "qmark"):
            raise DBOSException(f"the driver {dialect.driver} is not supported: use psycopg")
        return dialect.name, _on_sqlalchemy(connection), dialect.paramstyle == "pyformat"
    raise DBOSException(f"{type(connection).__qualname__} is no connection: {_ACCEPTED}")


def _on_psycopg(connection: psycopg.Connection[Any]) -> Execute:
    def execute(text: str, params: dict[str, Any]) -> Cursor:
        cursor = connection.cursor(row_factory=psycopg.rows.tuple_row)
        return cursor.execute(text.encode(), params)

    return execute


def _on_django(connection: Any) -> Execute:
    def execute(text: str, params: dict[str, Any]) -> Cursor:
        cursor = connection.cursor()
        cursor.execute(text, params)
        found: Cursor = cursor
        return found

    return execute


def _on_sqlalchemy(connection: Any) -> Execute:
    def execute(text: str, params: dict[str, Any]) -> Cursor:
        return ResultOfSqlalchemy(connection.exec_driver_sql(text, params))

    return execute


class CallerTransaction:
    """The caller's transaction as the engine uses it; its commit is not observed."""

    def __init__(self, connection: Any, *, vendor: Vendor, schema: str) -> None:
        self._session = session_on(connection, vendor=vendor, schema=schema)

    def apply(self, write: Write, *, now: int) -> Answer:
        # As in dbos: a row without a creator is never taken for a repetition of another call.
        if isinstance(write, StartWrite):
            write = _without_creator(write)
        elif isinstance(write, BulkStartWrite):
            write = replace(write, starts=tuple(map(_without_creator, write.starts)))
        return apply_single(self._session, write, now=now)

    def on_commit(self, callback: Callable[[], None]) -> None:
        """Ignore the callback: other processes find the rows when they next poll the tables."""


def _without_creator(write: StartWrite) -> StartWrite:
    return replace(write, row=replace(write.row, creator_xid=None))
