"""Checkpoints of datasource transactions, in a table of the user's own database.

A transaction writes its checkpoint together with the user's data, so it takes effect once.
"""

from __future__ import annotations

from typing import NamedTuple

from dboshub.workflows.storage.fragments import table_exists
from dboshub.workflows.storage.sql import Session, Statement

VERSION = 1
_MIGRATION_LOCK = 1234567890  # the advisory lock that DBOS libraries take while they migrate

FIND = Statement("""
    SELECT output, error, serialization
    FROM {datasource_outputs}
    WHERE workflow_id = :workflow_id AND step_id = :step_id
""")
RECORD = Statement("""
    INSERT INTO {datasource_outputs} (workflow_id, step_id, output, error, serialization)
    VALUES (:workflow_id, :step_id, :output, :error, :serialization)
    ON CONFLICT (workflow_id, step_id) DO NOTHING
    RETURNING step_id
""")
DELETE_FROM_STEP = Statement("""
    DELETE FROM {datasource_outputs}
    WHERE workflow_id = :workflow_id AND step_id >= :start_step
""")

_HAS_VERSIONS = Statement(f"SELECT {table_exists('dbos_datasource_migrations')}")
_VERSION = Statement("SELECT max(version) FROM {dbos_datasource_migrations}")
_LOCK = Statement(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
_CREATE_VERSIONS = """
    CREATE TABLE IF NOT EXISTS {dbos_datasource_migrations} (version BIGINT NOT NULL PRIMARY KEY)
"""
_CREATE_OUTPUTS = """
    CREATE TABLE IF NOT EXISTS {datasource_outputs} (
        workflow_id TEXT NOT NULL,
        step_id INTEGER NOT NULL,
        output TEXT,
        error TEXT,
        serialization TEXT,
        created_at BIGINT NOT NULL DEFAULT (NOW_MS),
        PRIMARY KEY (workflow_id, step_id)
    )
"""
_NOW_MS = {
    "postgresql": "CAST(EXTRACT(EPOCH FROM now()) * 1000 AS bigint)",
    "sqlite": "strftime('%s', 'now') * 1000",
}
_RECORD_VERSION = Statement(
    f"INSERT INTO {{dbos_datasource_migrations}} (version) VALUES ({VERSION})"
)


class Recorded(NamedTuple):
    """The recorded outcome of a transaction: serialized output or error."""

    output: str | None
    error: str | None
    serialization: str | None


def find(session: Session, workflow_id: str, step_id: int) -> Recorded | None:
    """The checkpoint of a step, or None."""
    row = session.one(FIND, workflow_id=workflow_id, step_id=step_id)
    return None if row is None else Recorded(*row)


def record(session: Session, workflow_id: str, step_id: int, ended: Recorded) -> bool:
    """Insert the checkpoint; return False if there is one already, which stays unchanged."""
    given = ended._asdict()
    return session.one(RECORD, workflow_id=workflow_id, step_id=step_id, **given) is not None


def delete(session: Session, workflow_id: str, *, start_step: int = 0) -> None:
    """Delete a workflow's checkpoints from a step on; by default all of them."""
    session.run(DELETE_FROM_STEP, workflow_id=workflow_id, start_step=start_step)


def version(session: Session) -> int:
    """The version of the tables, or 0 if they do not exist."""
    found = session.one(_HAS_VERSIONS)
    if found is None or not found[0]:
        return 0
    row = session.one(_VERSION)
    return int(row[0] or 0) if row else 0


def migrate(session: Session) -> None:
    """Create missing tables in the caller's transaction; PostgreSQL does it under a lock."""
    if version(session) >= VERSION:
        return
    dialect = session.dialect
    if dialect.vendor == "postgresql":
        session.run(_LOCK)
        if version(session) >= VERSION:
            return
        session.run(Statement("CREATE SCHEMA IF NOT EXISTS {schema}"))
    session.run(Statement(_CREATE_VERSIONS))
    session.run(Statement(_CREATE_OUTPUTS.replace("NOW_MS", _NOW_MS[dialect.vendor])))
    session.run(_RECORD_VERSION)


def grant(session: Session, role: str) -> None:
    """Allow a role to read and write the tables. PostgreSQL only."""
    name = role.replace('"', '""')
    session.run(Statement(f'GRANT USAGE ON SCHEMA {{schema}} TO "{name}"'))
    session.run(
        Statement(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON {datasource_outputs}, "
            f'{{dbos_datasource_migrations}} TO "{name}"'
        )
    )
