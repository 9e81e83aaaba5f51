"""Health of the system database: server, size, clock skew, schema, tables and indexes.

Every number is read from the catalogue or from the end of an index; no rows are counted.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import chain

from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.schema import indexes
from dboshub.workflows.storage.schema.columns import SYSTEM_COLUMNS
from dboshub.workflows.storage.schema.state import SchemaState, read_state
from dboshub.workflows.storage.sql import Session, Statement, cached_statement

MAX_TABLES = 100

VERSION = Statement(
    postgres="SELECT current_setting('server_version'), current_database(), pg_is_in_recovery()",
    sqlite="SELECT sqlite_version(), (SELECT file FROM pragma_database_list LIMIT 1), 0",
)
SIZE = Statement(
    postgres="SELECT pg_database_size(current_database()), 0",
    sqlite="""
        SELECT page_count * page_size, freelist_count * page_size
        FROM pragma_page_count(), pragma_page_size(), pragma_freelist_count()
    """,
)
POSTGRES_TABLES = Statement(
    """
    SELECT c.relname::text, pg_total_relation_size(c.oid), pg_indexes_size(c.oid),
        CASE WHEN c.reltuples < 0 THEN NULL ELSE c.reltuples::bigint END
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = :schema AND c.relkind IN ('r', 'p')
    ORDER BY 2 DESC, 1
    LIMIT :most
    """
)
SQLITE_TABLES = Statement(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
    " ORDER BY name LIMIT :most"
)
INDEXES = Statement(
    postgres="""
        SELECT c.relname::text, i.indisvalid
        FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = :schema
    """,
    sqlite="SELECT name, 1 FROM sqlite_master WHERE type = 'index' AND :schema = 'main'",
)


@dataclass(frozen=True, slots=True)
class Server:
    """`skew_ms` is how far the database's clock is ahead of this process, exact to half of the
    round trip `trip_ms`. `size` and `free` are bytes."""

    vendor: str
    version: str
    name: str
    is_replica: bool
    trip_ms: float
    skew_ms: int
    size: int
    free: int
    schema: SchemaState

    @property
    def apart_ms(self) -> int:
        return abs(self.skew_ms)


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` is an estimate on PostgreSQL, the highest rowid on SQLite; sizes are bytes."""

    name: str
    size: int | None
    index_size: int | None
    rows: int | None


@dataclass(frozen=True, slots=True)
class Index:
    """An index of schema 125; `ddl` creates it without blocking writers."""

    name: str
    ddl: str
    is_there: bool


def server(session: Session) -> Server:
    before = time.time()
    now = database_now(session)
    after = time.time()
    version = session.one(VERSION)
    size = session.one(SIZE)
    assert version is not None
    assert size is not None
    return Server(
        vendor="PostgreSQL" if session.vendor == "postgresql" else "SQLite",
        version=str(version[0]),
        name=str(version[1] or ""),
        is_replica=bool(version[2]),
        trip_ms=(after - before) * 1_000,
        skew_ms=round(now - (before + after) / 2 * 1_000),
        size=int(size[0]),
        free=int(size[1]),
        schema=read_state(session),
    )


def tables(session: Session) -> list[Table]:
    """The tables of the schema, or the DBOS and DBOSHub tables of a SQLite file; largest first."""
    if session.vendor == "postgresql":
        rows = session.all(POSTGRES_TABLES, schema=session.dialect.schema, most=MAX_TABLES)
        return [Table(*row) for row in rows]
    names = [str(row[0]) for row in session.all(SQLITE_TABLES, most=MAX_TABLES)]
    ours = [name for name in names if name in SYSTEM_COLUMNS or name.startswith("dboshub_")]
    found = [Table(name, None, None, _last_row(session, name)) for name in ours]
    return sorted(found, key=lambda table: -(table.rows or 0))


def expected(session: Session) -> list[Index]:
    """The indexes of schema 125, missing ones first."""
    is_postgres = session.vendor == "postgresql"
    there = {
        name for name, is_valid in session.all(INDEXES, schema=session.dialect.schema) if is_valid
    }
    own = indexes.POSTGRES if is_postgres else indexes.SQLITE
    found = []
    for text in chain.from_iterable(
        each.split(";") for each in (indexes.SHARED, indexes.SINCE_124, own)
    ):
        ddl = " ".join(text.split())
        if ddl:
            name = ddl.partition(" IF NOT EXISTS ")[2].split()[0]
            found.append(Index(name, _runnable(session, ddl), name in there))
    return sorted(found, key=lambda index: (index.is_there, index.name))


def _runnable(session: Session, ddl: str) -> str:
    if session.vendor == "postgresql":
        ddl = ddl.replace(" INDEX ", " INDEX CONCURRENTLY ", 1)
    for table in {part.split("}")[0] for part in ddl.split("{")[1:]}:
        ddl = ddl.replace(f"{{{table}}}", session.dialect.table(table))
    return f"{ddl};"


def _last_row(session: Session, name: str) -> int | None:
    quoted = name.replace('"', '""')
    # Reads only the last entry of the table's own tree.
    row = session.one(cached_statement(f'SELECT MAX(rowid) FROM "{quoted}"'))
    return None if row is None else row[0] or 0
