"""Reads for pages: given up after two seconds, however badly the database plans them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from workflows.connection import atomic, reading
from workflows.storage.sql import Session, Statement

LIMIT_MS = 2_000
LIMIT = Statement("SELECT set_config('statement_timeout', :limit, true)")


@contextmanager
def bounded_reading(limit_ms: int = LIMIT_MS) -> Iterator[Session]:
    """A session whose statements PostgreSQL ends after so long; SQLite has no such limit."""
    with reading() as session:
        if session.vendor != "postgresql":
            yield session
            return
    with atomic() as session:
        session.one(LIMIT, limit=str(limit_ms))
        yield session
