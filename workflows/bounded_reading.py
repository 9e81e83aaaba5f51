"""Sessions for pages: every statement is cancelled after two seconds, and none begins once the time
of the request is used up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connections

from dboshub.workflows.connection import atomic, reading, system_alias
from dboshub.workflows.storage.sql import Cursor, Execute, Session, Statement
from dboshub.workflows.storage.sqlite import CHECK_EVERY
from dboshub.workflows.time_budget import is_spent

LIMIT_MS = 2_000
# No JIT: compiling a statement takes longer than the statements of pages may run.
LIMIT = Statement(
    "SELECT set_config('statement_timeout', :limit, true), set_config('jit', 'off', true)"
)


@contextmanager
def bounded_reading(limit_ms: int = LIMIT_MS) -> Iterator[Session]:
    """A session whose statements raise OperationalError after `limit_ms` milliseconds each."""
    with reading() as session:
        if session.vendor != "postgresql":
            with interrupted(session, limit_ms / 1_000) as bounded:
                yield bounded
            return
    with atomic() as session:
        session.one(LIMIT, limit=str(limit_ms))
        yield session.with_execute(_in_time)


def _in_time(execute: Execute) -> Execute:
    def execute_in_time(text: str, params: dict[str, Any]) -> Cursor:
        if is_spent():
            raise OperationalError("interrupted: reading this page takes too long")
        return execute(text, params)

    return execute_in_time


@contextmanager
def interrupted(session: Session, limit_s: float) -> Iterator[Session]:
    """SQLite calls a handler while it runs, which stops a statement that is over its limit."""
    connection = connections[system_alias()]
    connection.ensure_connection()
    raw, until = connection.connection, time.monotonic() + limit_s

    def limited(execute: Execute) -> Execute:
        def execute_limited(text: str, params: dict[str, Any]) -> Cursor:
            nonlocal until
            until = time.monotonic() + limit_s
            return execute(text, params)

        return _in_time(execute_limited)

    raw.set_progress_handler(lambda: time.monotonic() > until, CHECK_EVERY)
    try:
        yield session.with_execute(limited)
    finally:
        raw.set_progress_handler(None, 0)
