"""Classification of transient and permanent database errors, for both drivers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg_pool import PoolTimeout

from dboshub.workflows.engine.ports import StorageUnavailableError

# SQLSTATE classes: connection exception, insufficient resources, operator intervention.
_TRANSIENT_CLASSES = ("08", "53", "57")
# Serialization failure, deadlock, idle transaction timeout, lock not available.
_TRANSIENT_CODES = frozenset({"40001", "40P01", "25P03", "55P03"})
_QUERY_CANCELLED = "57014"
_BUSY = ("database is locked", "database table is locked", "database schema is locked")


def is_transient(error: BaseException) -> bool:
    """Whether the same call may succeed a moment later."""
    if isinstance(error, psycopg.Error):
        code = error.sqlstate
        if code is None:
            return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        if code == _QUERY_CANCELLED:
            return False
        return code in _TRANSIENT_CODES or code.startswith(_TRANSIENT_CLASSES)
    if isinstance(error, sqlite3.OperationalError):
        return str(error).startswith(_BUSY)
    return isinstance(error, PoolTimeout)


def is_permission_denied(error: BaseException) -> bool:
    """Whether the role or the file may not do what was asked."""
    if isinstance(error, sqlite3.OperationalError):
        return str(error).startswith("attempt to write a readonly database")
    denied = psycopg.errors.InsufficientPrivilege | psycopg.errors.ReadOnlySqlTransaction
    return isinstance(error, denied)


@contextmanager
def raising_unavailable() -> Iterator[None]:
    """Raise StorageUnavailableError for a transient error; other errors propagate."""
    try:
        yield
    except Exception as error:
        if is_transient(error):
            raise StorageUnavailableError(str(error)) from error
        raise
