"""The tables in a user's own database that make its transactions steps: checkpoints beside data."""

from __future__ import annotations

from typing import NamedTuple

from dboshub.workflows.storage.sql import Session, Statement

VERSION = 1
_MIGRATION_LOCK = 1234567890  # what DBOS libraries take while they migrate

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
FORGET = Statement("""
    DELETE FROM {datasource_outputs}
    WHERE workflow_id = :workflow_id AND step_id >= :start_step
""")

_IS_THERE = Statement(
    postgres="SELECT to_regclass(:name) IS NOT NULL",
    sqlite="SELECT count(*) FROM sqlite_master WHERE '\"' || name || '\"' = :name",
)
_VERSION = Statement("SELECT max(version) FROM {dbos_datasource_migrations}")
_LOCK = Statement(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
_VERSIONS = """
    CREATE TABLE IF NOT EXISTS {dbos_datasource_migrations} (version BIGINT NOT NULL PRIMARY KEY)
"""
_OUTPUTS = """
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
_MADE = Statement(f"INSERT INTO {{dbos_datasource_migrations}} (version) VALUES ({VERSION})")


class Recorded(NamedTuple):
    """How a transaction ended, as its checkpoint says."""

    output: str | None
    error: str | None
    serialization: str | None


def find(session: Session, workflow_id: str, step_id: int) -> Recorded | None:
    row = session.one(FIND, workflow_id=workflow_id, step_id=step_id)
    return None if row is None else Recorded(*row)


def record(session: Session, workflow_id: str, step_id: int, ended: Recorded) -> bool:
    """Insert the checkpoint; False if there is one already, which stays as it is."""
    given = ended._asdict()
    return session.one(RECORD, workflow_id=workflow_id, step_id=step_id, **given) is not None


def forget(session: Session, workflow_id: str, *, start_step: int = 0) -> None:
    session.run(FORGET, workflow_id=workflow_id, start_step=start_step)


def version(session: Session) -> int:
    """The version of the tables; 0 when there are none."""
    name = session.dialect.table("dbos_datasource_migrations")
    is_there = session.one(_IS_THERE, name=name)
    if is_there is None or not is_there[0]:
        return 0
    row = session.one(_VERSION)
    return int(row[0] or 0) if row else 0


def migrate(session: Session) -> None:
    """Create what is missing, within the caller's transaction; on PostgreSQL one at a time."""
    if version(session) >= VERSION:
        return
    dialect = session.dialect
    if dialect.vendor == "postgresql":
        session.run(_LOCK)
        if version(session) >= VERSION:
            return
        session.run(Statement(f'CREATE SCHEMA IF NOT EXISTS "{dialect.schema}"'))
    session.run(Statement(_VERSIONS))
    session.run(Statement(_OUTPUTS.replace("NOW_MS", _NOW_MS[dialect.vendor])))
    session.run(_MADE)


def grant(session: Session, role: str) -> None:
    """Let a role that may not migrate use the tables."""
    name, schema = role.replace('"', '""'), session.dialect.schema
    session.run(Statement(f'GRANT USAGE ON SCHEMA "{schema}" TO "{name}"'))
    session.run(
        Statement(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON {datasource_outputs}, "
            f'{{dbos_datasource_migrations}} TO "{name}"'
        )
    )
