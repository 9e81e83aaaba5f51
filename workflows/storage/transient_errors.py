"""Classification of transient and permanent database errors, for both drivers."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg_pool import PoolTimeout

from dboshub.workflows.engine.ports import StorageExhaustedError, StorageUnavailableError
from dboshub.workflows.storage.connection_errors import DatabaseUnreachableError

# SQLSTATE classes: connection exception, insufficient resources, operator intervention.
_TRANSIENT_CLASSES = ("08", "53", "57")
# Serialization failure, deadlock, idle transaction timeout, lock not available.
_TRANSIENT_CODES = frozenset({"40001", "40P01", "25P03", "55P03"})
_QUERY_CANCELLED = "57014"
_OUT_OF_MEMORY = "53200"
# Connection exception, the crash of another process of the server.
_CONNECTION_ENDED = ("08", "57P02")
# SQLite's primary result codes for a disk or a memory that is full, or fails, for a moment.
_MOMENTARY = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
# The process has no descriptors or buffers left, or the disk fails.
_SHORT_OF = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC, errno.EIO}
)
_NO_THREAD = "can't start new thread"
_BUSY = ("database is locked", "database table is locked", "database schema is locked")


def is_momentary(error: BaseException) -> bool:
    """Whether a statement of the engine's own may succeed later: it is no error of user code.

    Beside what `is_transient` finds, a statement timeout, and a disk or a process that lacks
    something for a moment. In a transaction of user code those belong to that code.
    """
    if isinstance(error, psycopg.Error) and error.sqlstate is not None:
        # 58: an error of the system under the server, such as its disk's.
        is_own = error.sqlstate == _QUERY_CANCELLED or error.sqlstate.startswith("58")
        return is_own or is_transient(error)
    if isinstance(error, sqlite3.OperationalError):
        # An error that the module itself raises has no code.
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _MOMENTARY or is_transient(error)
    if isinstance(error, OSError):
        return error.errno in _SHORT_OF
    if isinstance(error, RuntimeError):
        return str(error) == _NO_THREAD  # for a driver that has a thread for each connection
    return is_transient(error)


def is_of_this_call(error: BaseException) -> bool:
    """Whether a call failed in a way that one value may cause, now and whenever it comes.

    The database had no memory for it, or the connection ended.
    """
    if isinstance(error, psycopg.Error):
        code = error.sqlstate
        if code is None:
            return is_transient(error)
        return code == _OUT_OF_MEMORY or code.startswith(_CONNECTION_ENDED)
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_NOMEM
    return isinstance(error, MemoryError)  # sqlite3's own name for it


def is_transient(error: BaseException) -> bool:
    """Whether the same transaction may succeed a moment later."""
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


def raised_by_driver(error: BaseException) -> BaseException:
    """What a driver raised, which SQLAlchemy, Django or a sentence of our own wraps."""
    if isinstance(error, DatabaseUnreachableError):
        wrapped = error.__context__
    else:
        wrapped = getattr(error, "orig", None) or error.__cause__
    return error if wrapped is None else raised_by_driver(wrapped)


@contextmanager
def before_user_code() -> Iterator[None]:
    """Begin a transaction of user code: what fails here for a moment is no error of that code.

    Raises StorageUnavailableError where no connection can be made, to a database that was reached
    at launch, and for a momentary error; other errors propagate.
    """
    try:
        yield
    except Exception as error:
        met = raised_by_driver(error)
        is_away = isinstance(error, DatabaseUnreachableError) and met is not error
        if is_away or is_momentary(met):
            raise StorageUnavailableError(str(error)) from error
        raise


class RaisingUnavailable:
    """The block in which a momentary error becomes a StorageUnavailableError."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if not isinstance(error, Exception):
            return
        if is_of_this_call(error):
            raise StorageExhaustedError(str(error) or "out of memory") from error
        if is_momentary(error):
            raise StorageUnavailableError(str(error)) from error


_RAISING = RaisingUnavailable()


def raising_unavailable() -> RaisingUnavailable:
    """Raise StorageUnavailableError for a momentary error; other errors propagate."""
    return _RAISING
