"""Create schema 125 in an empty database, and add what a DBOS library's database lacks.

It changes no rows and adds no columns to existing tables. Several processes may migrate at once.
"""

from __future__ import annotations

from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.schema import (
    hub_tables,
    indexes,
    postgres_functions,
    postgres_tables,
    sqlite_tables,
)
from dboshub.workflows.storage.schema.state import (
    VERSION,
    SchemaState,
    inspect,
    raising_permission_error,
    read_state,
)
from dboshub.workflows.storage.sql import Dialect, Session, Statement

__all__ = ["SchemaState", "inspect", "migrate", "migrate_in"]

# DBOS libraries take the same lock while they migrate.
LOCK = Statement(
    postgres="SELECT pg_advisory_xact_lock(1234567890)",
    sqlite="SELECT 1",  # the transaction is IMMEDIATE, so it is the only writer
)
DELETE_VERSION = Statement("DELETE FROM {dbos_migrations}")
RECORD_VERSION = Statement("INSERT INTO {dbos_migrations} (version) VALUES (:version)")


def migrate(database: Database, *, adopt: bool = True) -> SchemaState:
    """Create missing tables and indexes of schema 125; return the state of the database.

    With ``adopt=False`` nothing is created: an empty database raises SchemaMissingError. A database
    that is too old raises SchemaTooOldError, one without the columns we use SchemaColumnsError,
    one that refuses this role SchemaPermissionError.
    """
    with raising_permission_error(), database.writing() as session:
        return migrate_in(session, adopt=adopt)


def migrate_in(session: Session, *, adopt: bool = True) -> SchemaState:
    """Do the same in the caller's transaction."""
    session.one(LOCK)
    state = read_state(session)
    if state.empty and adopt:
        _create(session)
    else:
        state.verify()
        if not (adopt and (state.outdated or state.missing_hub_tables)):
            return state
        _adopt(session, state)
    return read_state(session)


def _create(session: Session) -> None:
    session.script(creation(session.dialect))
    session.run(RECORD_VERSION, version=VERSION)


def creation(dialect: Dialect) -> str:
    """The script that creates all tables, indexes and functions."""
    if dialect.vendor == "postgresql":
        schema = "CREATE SCHEMA IF NOT EXISTS {schema};\n"
        tables = postgres_tables.TABLES
        extras = indexes.POSTGRES + postgres_functions.FUNCTIONS + postgres_tables.TUNING
    else:
        schema, tables, extras = "", sqlite_tables.TABLES, indexes.SQLITE
    script = tables + indexes.SHARED + indexes.SINCE_124 + extras + hub_tables.TABLES
    return dialect.render(schema + script)


def _adopt(session: Session, state: SchemaState) -> None:
    if state.outdated:
        session.script(session.dialect.render(indexes.SINCE_124))
        session.run(DELETE_VERSION)
        session.run(RECORD_VERSION, version=VERSION)
    if state.missing_hub_tables:
        session.script(session.dialect.render(hub_tables.TABLES))
