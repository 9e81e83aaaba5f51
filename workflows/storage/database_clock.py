"""The database's clock."""

from __future__ import annotations

from dboshub.workflows.engine.clock import DatabaseClock
from dboshub.workflows.storage.fragments import CLOCK_MS
from dboshub.workflows.storage.sql import Session, Statement

NOW = Statement(f"SELECT {CLOCK_MS}")


def database_now(session: Session) -> int:
    """The time of the database's clock, in epoch milliseconds."""
    row = session.one(NOW)
    assert row is not None
    return int(row[0])


def adjust(clock: DatabaseClock, session: Session) -> DatabaseClock:
    """Set a clock to the database's; returns it."""
    begun = clock.monotonic()
    now = database_now(session)
    clock.adjust(now, (begun + clock.monotonic()) / 2)
    return clock
