"""Sessions for pages: every statement is cancelled after two seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections

from dboshub.workflows.connection import atomic, reading, system_alias
from dboshub.workflows.storage.sql import Cursor, Execute, Session, Statement
from dboshub.workflows.storage.sqlite import CHECK_EVERY

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
        yield session


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

        return execute_limited

    raw.set_progress_handler(lambda: time.monotonic() > until, CHECK_EVERY)
    try:
        yield session.with_execute(limited)
    finally:
        raw.set_progress_handler(None, 0)
