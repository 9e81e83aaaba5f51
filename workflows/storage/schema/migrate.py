"""Creating schema 125 on an empty database, and adopting one that a DBOS library made.

Rows are never touched, no column is ever added to a foreign table, and several processes
may do this at once.
"""

from __future__ import annotations

import re

from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.schema import (
    hub_tables,
    indexes,
    postgres_functions,
    postgres_tables,
    sqlite_tables,
)
from dboshub.workflows.storage.schema.state import VERSION, SchemaState, inspect, read_state
from dboshub.workflows.storage.sql import Dialect, Session, Statement

__all__ = ["SchemaState", "inspect", "migrate", "migrate_in"]

_TABLE = re.compile(r"\{([a-z_][a-z0-9_]*)\}")

# The lock of every DBOS library's migrations, so that theirs and ours take turns.
LOCK = Statement(
    postgres="SELECT pg_advisory_xact_lock(1234567890)",
    sqlite="SELECT 1",  # the transaction is IMMEDIATE: it is the only writer already
)
FORGET_VERSION = Statement("DELETE FROM {dbos_migrations}")
RECORD_VERSION = Statement("INSERT INTO {dbos_migrations} (version) VALUES (:version)")


def migrate(database: Database, *, adopt: bool = True) -> SchemaState:
    """Bring a database to schema 125 and return its state.

    A database is only checked when ``adopt`` is false, and an empty one refused with
    SchemaMissingError; otherwise it gets the tables and indexes it lacks. One that is too old
    is refused with SchemaTooOldError, one without the columns we use with SchemaColumnsError.
    """
    with database.writing() as session:
        return migrate_in(session, adopt=adopt)


def migrate_in(session: Session, *, adopt: bool = True) -> SchemaState:
    """Do the same in a transaction that the caller holds."""
    session.one(LOCK)
    state = read_state(session)
    if state.empty and adopt:
        _create(session)
    else:
        state.verify()
        if adopt:
            _adopt(session, state)
    return read_state(session)


def _create(session: Session) -> None:
    session.script(creation(session.dialect))
    session.run(RECORD_VERSION, version=VERSION)


def creation(dialect: Dialect) -> str:
    """The script that makes all tables, indexes and functions."""
    if dialect.vendor == "postgresql":
        schema = f'CREATE SCHEMA IF NOT EXISTS "{dialect.schema}";\n'
        tables = postgres_tables.TABLES
        extras = indexes.POSTGRES + postgres_functions.FUNCTIONS + postgres_tables.TUNING
    else:
        schema, tables, extras = "", sqlite_tables.TABLES, indexes.SQLITE
    script = tables + indexes.SHARED + indexes.SINCE_124 + extras + hub_tables.TABLES
    return schema + _render(script, dialect)


def _adopt(session: Session, state: SchemaState) -> None:
    if state.outdated:
        session.script(_render(indexes.SINCE_124, session.dialect))
        session.run(FORGET_VERSION)
        session.run(RECORD_VERSION, version=VERSION)
    if state.missing_hub_tables:
        session.script(_render(hub_tables.TABLES, session.dialect))


def _render(script: str, dialect: Dialect) -> str:
    """Fill in table names alone: a script has no parameters, so nothing is escaped."""
    return _TABLE.sub(lambda match: dialect.table(match[1]), script)
