"""The database's clock."""

from __future__ import annotations

from dboshub.workflows.storage.fragments import CLOCK_MS
from dboshub.workflows.storage.sql import Session, Statement

NOW = Statement(f"SELECT {CLOCK_MS}")


def database_now(session: Session) -> int:
    """The time of the database's clock, in epoch milliseconds."""
    row = session.one(NOW)
    assert row is not None
    return int(row[0])
