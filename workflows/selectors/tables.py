"""Whether a database has the hub's own tables: only databases that our workers use have them."""

from __future__ import annotations

from functools import cache

from dboshub.workflows.storage.fragments import table_exists
from dboshub.workflows.storage.sql import Session, Statement

EXECUTORS = "dboshub_executor"
ATTEMPTS = "dboshub_attempt"
WAITS = "dboshub_wait"
QUEUE_PAUSES = "dboshub_queue_pause"


def has_table(session: Session, name: str) -> bool:
    """Whether the system schema has a table of this name."""
    row = session.one(_exists(name))
    return bool(row and row[0])


@cache
def _exists(name: str) -> Statement:
    return Statement(f"SELECT {table_exists(name)}")
