"""A system database that any DBOS library may have made: looked at before it is used."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import psycopg

from dboshub.workflows.engine.errors import DatabaseUrlError
from dboshub.workflows.storage.access import Access, access_to_read
from dboshub.workflows.storage.connection_errors import (
    DatabaseUnreachableError,
    place_of,
    reason_of,
)
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.database_urls import libpq_parameters, mask_password, sqlite_url
from dboshub.workflows.storage.postgres import PostgresDatabase, database_identity
from dboshub.workflows.storage.schema.errors import SchemaError
from dboshub.workflows.storage.schema.state import read_state
from dboshub.workflows.storage.sql import Session, Statement
from dboshub.workflows.storage.sqlite import SqliteDatabase

# Django's own tables and those of the hub are in the default schema.
MIGRATED = Statement(
    postgres="SELECT to_regclass('dboshub_audit_event') IS NOT NULL",
    sqlite="SELECT count(*) FROM sqlite_master WHERE name = 'dboshub_audit_event'",
)
OTHER_SCHEMAS = Statement("""
    SELECT n.nspname::text
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = 'workflow_status' AND c.relkind IN ('r', 'p')
    ORDER BY 1
    LIMIT 5
""")


@dataclass(frozen=True, slots=True)
class ForeignDatabase:
    """A database with system tables. `identity` is the same for all URLs that lead to it."""

    url: str
    opened: Database
    schema: str

    @property
    def masked(self) -> str:
        return mask_password(self.url)

    @property
    def identity(self) -> str:
        if isinstance(self.opened, SqliteDatabase):
            return str(self.opened.path.resolve())
        assert isinstance(self.opened, PostgresDatabase)
        return "\n".join([*database_identity(self.opened.url), self.schema])

    @property
    def name(self) -> str:
        if isinstance(self.opened, SqliteDatabase):
            return self.opened.path.stem
        assert isinstance(self.opened, PostgresDatabase)
        return database_identity(self.opened.url)[0]


class NoSystemTablesError(SchemaError):
    """The database can be connected to, and no DBOS library made tables in it."""

    def __init__(self, place: str, advice: str) -> None:
        super().__init__(f"There are no tables of DBOS in {place}: {advice}")
        self.args = (place, advice)


def require_system_tables(
    url: str, schema: str, *, read_only: bool = False, behind_pooler: bool = False
) -> ForeignDatabase:
    """Look whether a URL leads to a database of DBOS that this release can show.

    With `read_only` it is asked as its pages will ask it, on sessions that can only read.
    Nothing is created or changed, and no connection stays open. Raises DatabaseUrlError,
    DatabaseUnreachableError and SchemaError.
    """
    if "://" not in url and Path(url).is_file():
        raise DatabaseUrlError(url, f"for a SQLite file write {sqlite_url(Path(url))}")
    access = Access.READ_ONLY if read_only else access_to_read(url)
    database = open_database(
        url, schema=schema, access=access, behind_pooler=behind_pooler, pool_size=1
    )
    try:
        database.check_connection(create=False)
        with database.reading() as session:
            state = read_state(session)
            if state.empty:
                raise NoSystemTablesError(place_in(database), _advice(session))
        state.verify()
    except (psycopg.Error, sqlite3.Error) as error:
        raise DatabaseUnreachableError(place_in(database), reason_of(error)) from None
    except DatabaseUnreachableError as error:
        if "startup parameter" not in error.reason:
            raise
        raise DatabaseUnreachableError(
            error.place, f"{error.reason}: behind a pooler, set DBOSHUB_BEHIND_POOLER=1"
        ) from None
    finally:
        database.close()
    return ForeignDatabase(url, database, schema)


def has_hub_tables(url: str) -> bool:
    """Whether somebody ran `migrate` on a database. Raises DatabaseUrlError and its kin."""
    database = open_database(url, access=access_to_read(url), pool_size=1)
    try:
        database.check_connection(create=False)
        with database.reading() as session:
            row = session.one(MIGRATED)
            return bool(row and row[0])
    finally:
        database.close()


def place_in(database: Database) -> str:
    """Where the system tables are looked for, in words and without a password."""
    if isinstance(database, SqliteDatabase):
        return f"SQLite database {database.path}"
    assert isinstance(database, PostgresDatabase)
    return f"schema {database.dialect.schema!r} of {place_of(libpq_parameters(database.url))}"


def _advice(session: Session) -> str:
    """How to get to the system tables, as the end of a sentence."""
    if session.vendor == "postgresql":
        others = [name for (name,) in session.all(OTHER_SCHEMAS)]
        if others:
            return f"there are some in schema {', '.join(map(repr, others))}: give it as --schema"
    return "name the database of a DBOS application"
