"""The schema state of a database, read without changing it: for launch, health and pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dboshub.workflows.storage.connection_errors import reason_of
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.schema.columns import HUB_TABLES, SYSTEM_COLUMNS
from dboshub.workflows.storage.schema.errors import (
    SchemaColumnsError,
    SchemaMissingError,
    SchemaPermissionError,
    SchemaTooOldError,
)
from dboshub.workflows.storage.sql import Session, Statement
from dboshub.workflows.storage.transient_errors import is_permission_denied

VERSION = 125
# Version 123 has all columns; 124 and 125 only add indexes.
OLDEST_VERSION = 123

COLUMNS = Statement(
    postgres="""
        SELECT c.relname::text, a.attname::text
        FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
        WHERE n.nspname = :schema
            AND c.relkind IN ('r', 'p')
            AND a.attnum > 0
            AND NOT a.attisdropped
    """,
    sqlite="""
        SELECT m.name, c.name
        FROM sqlite_master m
        JOIN pragma_table_info(m.name) c
        WHERE m.type = 'table' AND :schema = 'main'
    """,
)
RECORDED_VERSION = Statement("SELECT max(version) FROM {dbos_migrations}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaState:
    """The system tables of one database at the time of reading."""

    place: str  # schema name, for messages
    empty: bool  # no system tables at all
    version: int | None  # None: empty, or older than recorded versions
    missing_columns: tuple[str, ...]  # "table.column" that this release uses
    missing_hub_tables: tuple[str, ...]

    @property
    def too_old(self) -> bool:
        return not self.empty and (self.version or 0) < OLDEST_VERSION

    @property
    def newer(self) -> bool:
        """Whether a newer release created it; pages then show a banner."""
        return (self.version or 0) > VERSION

    @property
    def outdated(self) -> bool:
        """Whether it can be opened, and an explicit migrate would add indexes."""
        return not self.empty and OLDEST_VERSION <= (self.version or 0) < VERSION

    @property
    def usable(self) -> bool:
        return not (self.empty or self.too_old or self.missing_columns)

    def verify(self) -> None:
        """Raise the SchemaError of a database that cannot be used."""
        if self.empty:
            raise SchemaMissingError(self.place)
        if self.too_old or self.version is None:
            raise SchemaTooOldError(self.version, OLDEST_VERSION)
        if self.missing_columns:
            raise SchemaColumnsError(self.version, VERSION, self.missing_columns)


@contextmanager
def raising_permission_error() -> Iterator[None]:
    """Raise SchemaPermissionError for what the database refuses this role."""
    try:
        yield
    except Exception as error:
        if not is_permission_denied(error):
            raise
        raise SchemaPermissionError(reason_of(error)) from None


def inspect(database: Database) -> SchemaState:
    """Read the state of a database. An unreachable one raises the driver's error."""
    with raising_permission_error(), database.reading() as session:
        return read_state(session)


def read_state(session: Session) -> SchemaState:
    schema = session.dialect.schema
    columns: dict[str, set[str]] = {}
    for table, column in session.all(COLUMNS, schema=schema):
        columns.setdefault(table, set()).add(column)
    version = None
    if "dbos_migrations" in columns:
        row = session.one(RECORDED_VERSION)
        version = None if row is None or row[0] is None else int(row[0])
    return SchemaState(
        place=f"schema {schema!r}" if session.vendor == "postgresql" else "this SQLite file",
        empty=version is None and "workflow_status" not in columns,
        version=version,
        missing_columns=_missing(columns),
        missing_hub_tables=tuple(name for name in HUB_TABLES if name not in columns),
    )


def _missing(columns: dict[str, set[str]]) -> tuple[str, ...]:
    return tuple(
        f"{table}.{column}"
        for table, needed in SYSTEM_COLUMNS.items()
        for column in needed
        if column not in columns.get(table, set())
    )
