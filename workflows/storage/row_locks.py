"""Calls that do not keep a connection while they wait for a row that another transaction holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import psycopg

_BRIEF: ContextVar[bool] = ContextVar("dboshub_brief_locks", default=False)
# For this transaction only.
LOCK_TIMEOUT = b"SET LOCAL lock_timeout = '50ms'"


@contextmanager
def brief_locks() -> Iterator[None]:
    """Transactions of this block on PostgreSQL raise LockNotAvailable for a row that is locked."""
    token = _BRIEF.set(True)
    try:
        yield
    finally:
        _BRIEF.reset(token)


def are_brief() -> bool:
    """Whether a transaction that begins now waits only briefly for locked rows."""
    return _BRIEF.get()


def is_locked(error: BaseException | None) -> bool:
    """Whether a row was locked for too long."""
    return isinstance(error, psycopg.errors.LockNotAvailable)
