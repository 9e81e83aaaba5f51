"""Reads for pages: a statement is given up after two seconds, however badly it is planned."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections

from dboshub.workflows.connection import atomic, reading, system_alias
from dboshub.workflows.storage.sql import Cursor, Session, Statement
from dboshub.workflows.storage.sqlite import CHECKED_EVERY

LIMIT_MS = 2_000
# To compile a statement takes longer than any that a page may ask.
LIMIT = Statement(
    "SELECT set_config('statement_timeout', :limit, true), set_config('jit', 'off', true)"
)


@contextmanager
def bounded_reading(limit_ms: int = LIMIT_MS) -> Iterator[Session]:
    """A session whose statements the database ends after so long, with an OperationalError."""
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
    """SQLite asks now and then whether to go on; each statement has the whole time."""
    connection = connections[system_alias()]
    connection.ensure_connection()
    raw, until = connection.connection, time.monotonic() + limit_s

    def execute(text: str, params: dict[str, Any]) -> Cursor:
        nonlocal until
        until = time.monotonic() + limit_s
        return session._execute(text, params)

    raw.set_progress_handler(lambda: time.monotonic() > until, CHECKED_EVERY)
    try:
        yield Session(session.dialect, execute, session._script)
    finally:
        raw.set_progress_handler(None, 0)
