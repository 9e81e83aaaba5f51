"""Open a system database by URL, and the interface of an open database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from dboshub.workflows.engine.errors import DatabaseUrlError
from dboshub.workflows.engine.schema_names import schema_problem
from dboshub.workflows.storage.access import Access
from dboshub.workflows.storage.database_urls import (
    is_sqlite,
    libpq_url,
    mask_password,
    sqlite_path,
    vendor_of,
)
from dboshub.workflows.storage.sql import Dialect, Session, Vendor

# Settings of PostgreSQL's planner by their names; SQLite has none.
Planner = Mapping[str, str]


class Connection(Protocol):
    """A connection that its owner keeps and closes, such as a journal connection."""

    session: Session

    def transaction(self) -> AbstractContextManager[Session]: ...
    def close(self) -> None: ...


class Sessions(Protocol):
    """Sessions on one system database. Safe to use from any thread."""

    @property
    def dialect(self) -> Dialect: ...
    @property
    def vendor(self) -> Vendor: ...
    def reading(self) -> AbstractContextManager[Session]:
        """An autocommit session: each statement is a transaction of its own."""

    def reading_with_timeout(self, seconds: float) -> AbstractContextManager[Session]:
        """A session whose statements are cancelled after so many seconds.

        Raises DBOSQueryTimeoutError after the database has cancelled the statement.
        """

    def writing(self) -> AbstractContextManager[Session]:
        """A transaction: committed at the end of the block, rolled back if the block raises."""


class Database(Sessions, Protocol):
    """The same with connections of its own."""

    def check_connection(self, *, create: bool) -> None:
        """Connect once; create a missing database if `create` is true.

        Raises DatabaseUnreachableError with the database and the driver's reason, for PostgreSQL
        within 2 s unless the URL sets ``connect_timeout``.
        """

    def connect(self, *, planner: Planner | None = None) -> Connection:
        """A dedicated connection that the caller closes."""

    def change_counter(self) -> Callable[[], int] | None:
        """A function whose result changes when another connection commits (SQLite), or None."""

    def close(self) -> None: ...


def open_database(
    url: str,
    *,
    schema: str = "dbos",
    pool_size: int = 8,
    behind_pooler: bool = False,
    idle_timeout: float | None = None,
    retries_unavailable: bool = True,
    access: Access = Access.OWN,
) -> Database:
    """Open ``sqlite:///path`` or ``postgresql://…`` without creating or migrating anything.

    `access` says what connections may do. For PostgreSQL: `pool_size` limits the connections of
    the pool. Calls wait for one of them for 30 seconds, with `retries_unavailable=False` for 5. The
    server ends a transaction that was idle for `idle_timeout` seconds. `behind_pooler` turns off
    what a transaction-mode pooler lacks.

    Raises DatabaseUrlError for any other URL, with the accepted forms.
    """
    if (problem := schema_problem(schema)) is not None:
        raise DatabaseUrlError(mask_password(url), f"schema name {schema!r}: {problem}")
    if vendor_of(url) == "sqlite":
        from dboshub.workflows.storage.sqlite import SqliteDatabase

        return SqliteDatabase(sqlite_path(url), access)
    from dboshub.workflows.storage.postgres import PostgresDatabase

    return PostgresDatabase(
        libpq_url(url),
        schema=schema,
        pool_size=pool_size,
        behind_pooler=behind_pooler,
        idle_timeout=idle_timeout,
        retries_unavailable=retries_unavailable,
        access=access,
    )


def is_url_of(url: str, database: Database) -> bool:
    """Whether a URL names the open database."""
    if database.vendor == "sqlite":
        from dboshub.workflows.storage.sqlite import SqliteDatabase

        assert isinstance(database, SqliteDatabase)
        return is_sqlite(url) and sqlite_path(url).resolve() == database.path.resolve()
    from dboshub.workflows.storage.postgres import PostgresDatabase, database_identity

    assert isinstance(database, PostgresDatabase)
    return not is_sqlite(url) and database_identity(libpq_url(url)) == database_identity(
        database.url
    )
