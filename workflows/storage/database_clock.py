"""The database's clock."""

from __future__ import annotations

from dboshub.workflows.storage.sql import Session, Statement

NOW = Statement(
    postgres="SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)",
    sqlite="SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
)


def database_now(session: Session) -> int:
    """Epoch milliseconds as the database says."""
    row = session.one(NOW)
    assert row is not None
    return int(row[0])
