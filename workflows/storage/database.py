"""Open a system database by URL, and the interface of an open database."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from dboshub.workflows.engine.errors import DatabaseUrlError
from dboshub.workflows.storage.access import Access
from dboshub.workflows.storage.connection_errors import check_postgres_url, mask_password
from dboshub.workflows.storage.sql import Dialect, Session, Vendor

# A libpq service may name the database.
_NAMED_ELSEWHERE = re.compile(r"(^|&)(service|dbname)=[^&]")
SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]*\Z")


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

    def connect(self) -> Connection:
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
    if not SCHEMA_NAME.match(schema):
        raise DatabaseUrlError(
            mask_password(url), f"schema name {schema!r} is not [a-z_][a-z0-9_]*"
        )
    scheme = url.split(":", 1)[0]
    if scheme == "sqlite":
        from dboshub.workflows.storage.sqlite import SqliteDatabase

        return SqliteDatabase(sqlite_path(url), access)
    if scheme.split("+")[0] in ("postgresql", "postgres"):
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
    raise DatabaseUrlError(
        mask_password(url),
        "it must start with sqlite:/// or postgresql:// (user:password@host:port/name)",
    )


def is_url_of(url: str, database: Database) -> bool:
    """Whether a URL names the open database."""
    if database.vendor == "sqlite":
        from dboshub.workflows.storage.sqlite import SqliteDatabase

        assert isinstance(database, SqliteDatabase)
        return url.startswith("sqlite") and sqlite_path(url).resolve() == database.path.resolve()
    from dboshub.workflows.storage.postgres import PostgresDatabase, database_identity

    assert isinstance(database, PostgresDatabase)
    return not url.startswith("sqlite") and database_identity(libpq_url(url)) == database_identity(
        database.url
    )


def sqlite_path(url: str) -> Path:
    """The file of a ``sqlite:///relative`` or ``sqlite:////absolute`` URL."""
    path = unquote(url.removeprefix("sqlite://").removeprefix("/").split("?", 1)[0])
    if not path or path == ":memory:":
        raise DatabaseUrlError(url, "workflows must outlive the process, so SQLite needs a file")
    return Path(path)


def libpq_url(url: str) -> str:
    """The URL without SQLAlchemy's ``+driver``, as libpq reads it.

    Raises DatabaseUrlError for one that names no database, or that libpq would misread.
    """
    check_postgres_url(url)
    rest = url.partition("://")[2]
    parts = urlsplit(f"postgresql://{rest}")
    if not parts.path.strip("/") and not _NAMED_ELSEWHERE.search(parts.query):
        raise DatabaseUrlError(mask_password(url), "it names no database: add /name at its end")
    return f"postgresql://{rest}"
