"""Drop or empty a system database: for tests, and for a confirmed command at a terminal."""

from __future__ import annotations

from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.database_urls import is_sqlite, libpq_url, sqlite_path
from dboshub.workflows.storage.schema.columns import HUB_TABLES, SYSTEM_COLUMNS
from dboshub.workflows.storage.schema.state import COLUMNS
from dboshub.workflows.storage.sql import Session, cached_statement

_SQLITE_SIDE_FILES = ("", "-wal", "-shm", "-journal")


def reset(url: str, schema: str = "dbos", *, truncate: bool = False) -> None:
    """Drop the whole system database (a SQLite file is deleted), or only empty its tables.

    Raises DatabaseUnreachableError.
    """
    if truncate:
        _empty_tables(url, schema)
    elif is_sqlite(url):
        path = sqlite_path(url)
        for suffix in _SQLITE_SIDE_FILES:
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    else:
        from dboshub.workflows.storage.postgres import drop

        drop(libpq_url(url))


def _empty_tables(url: str, schema: str) -> None:
    database = open_database(url, schema=schema)
    try:
        database.check_connection(create=False)
        with database.writing() as session:
            empty_tables(session)
    finally:
        database.close()


def empty_tables(session: Session) -> dict[str, int]:
    """Delete all rows of the system tables and the hub's own; return how many, by table."""
    found = {table for table, _ in session.all(COLUMNS, schema=session.dialect.schema)}
    return {
        table: session.run(cached_statement(f"DELETE FROM {{{table}}}"))
        for table in sorted(found & {*SYSTEM_COLUMNS, *HUB_TABLES})
    }
