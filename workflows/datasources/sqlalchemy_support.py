"""SQLAlchemy, imported on first use: engines, and the storage port on a connection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dboshub.workflows.engine.errors import DatabaseUrlError, DBOSInitializationError
from dboshub.workflows.engine.ports import StorageUnavailableError
from dboshub.workflows.storage import database_urls
from dboshub.workflows.storage.connection_errors import (
    CONNECT_TIMEOUT_S,
    REACH_TIMEOUT_S,
    DatabaseUnreachableError,
    cannot_connect,
    cannot_open,
)
from dboshub.workflows.storage.sql import Cursor, Dialect, Session, Vendor
from dboshub.workflows.storage.sqlalchemy_result import ResultOfSqlalchemy

if TYPE_CHECKING:
    import sqlalchemy
    from sqlalchemy import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

IsolationLevel = Literal["SERIALIZABLE", "REPEATABLE READ", "READ COMMITTED"]
LEVELS = ("SERIALIZABLE", "REPEATABLE READ", "READ COMMITTED")
_DRIVERS = {
    False: {"postgresql": "postgresql+psycopg", "sqlite": "sqlite"},
    True: {"postgresql": "postgresql+psycopg", "sqlite": "sqlite+aiosqlite"},
}
# The option of a driver that limits how many seconds it tries to connect.
_CONNECT_LIMITS = {
    "psycopg": "connect_timeout",
    "psycopg2": "connect_timeout",
    "asyncpg": "timeout",
}
_RETRIED = ("40001", "40P01")  # serialization failure, deadlock


def require_sqlalchemy() -> Any:
    """The package ``sqlalchemy``. Raises DBOSInitializationError if it is not installed."""
    try:
        import sqlalchemy
    except ImportError:
        raise DBOSInitializationError(
            "transactions through SQLAlchemy need it: pip install 'dboshub[sqlalchemy]'"
        ) from None
    return sqlalchemy


def driver_url(url: str, *, is_async: bool = False) -> sqlalchemy.URL:
    """The URL with a driver that is installed with us, unless it names another.

    Raises DatabaseUrlError for a database that is neither PostgreSQL nor SQLite.
    """
    vendor = database_urls.vendor_of(url)
    if vendor == "postgresql":
        database_urls.libpq_url(url)
    scheme, _, rest = url.partition(":")
    _, plus, driver = scheme.partition("+")
    scheme = f"{vendor}+{driver}" if plus else _DRIVERS[is_async][vendor]
    library = require_sqlalchemy()
    try:
        made: sqlalchemy.URL = library.engine.make_url(f"{scheme}:{rest}")
    except (library.exc.ArgumentError, ValueError):
        raise DatabaseUrlError(
            database_urls.mask_password(url), "SQLAlchemy cannot read it"
        ) from None
    return made


def new_engine(url: str, options: dict[str, Any]) -> Engine:
    """A new engine; on SQLite each transaction takes the write lock when it begins."""
    engine: Engine = require_sqlalchemy().create_engine(driver_url(url), **options)
    limit_connecting(engine)
    if engine.dialect.name == "sqlite":
        begin_immediately(engine)
    return engine


def new_async_engine(url: str, options: dict[str, Any]) -> AsyncEngine:
    """A new async engine for one event loop. It keeps no SQLite connections: each has a thread."""
    found = require_sqlalchemy()
    from sqlalchemy.ext.asyncio import create_async_engine

    made = driver_url(url, is_async=True)
    if vendor_of(made.get_backend_name()) == "postgresql":
        engine = create_async_engine(made, **options)
        limit_connecting(engine.sync_engine)
        return engine
    try:
        engine = create_async_engine(made, **{"poolclass": found.pool.NullPool, **options})
    except ImportError:
        raise DBOSInitializationError(
            "an async datasource on SQLite needs aiosqlite: pip install 'dboshub[sqlalchemy]'"
        ) from None
    begin_immediately(engine.sync_engine)
    return engine


def limit_connecting(engine: Engine) -> None:
    """Give up a server that does not answer: after 2 s until it has answered once, then after 10 s.

    Options of the URL and of the engine come first. The connections of psycopg notice lost answers.
    """
    event = require_sqlalchemy().event
    answered = False

    def connecting(dialect: Any, record: Any, args: Any, options: dict[str, Any]) -> Any:
        option = _CONNECT_LIMITS.get(dialect.driver)
        if option is not None:
            options.setdefault(option, CONNECT_TIMEOUT_S if answered else REACH_TIMEOUT_S)
        if dialect.driver != "psycopg":
            return None
        from dboshub.workflows.storage import answers

        for name, value in answers.KEEPALIVES.items():
            options.setdefault(name, value)
        if not dialect.is_async:
            return answers.AnsweredConnection.connect(*args, **options)
        # The engine adapts what this makes.
        options.setdefault("async_creator_fn", answers.AsyncAnsweredConnection.connect)
        return None

    def connected(connection: Any, record: Any) -> None:
        nonlocal answered
        answered = True

    event.listen(engine, "do_connect", connecting)
    event.listen(engine, "connect", connected)


def connect(session: Any) -> None:
    """Connect a session. Raises DatabaseUnreachableError with the database and the reason."""
    exc = require_sqlalchemy().exc
    url = session.get_bind().url
    file = file_of(url)
    if file is not None and not file.parent.is_dir():
        raise cannot_open(file, FileNotFoundError())
    try:
        session.connection()
    except (exc.DBAPIError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        raise (_unreachable(url, cause) if file is None else cannot_open(file, cause)) from None


def _unreachable(url: sqlalchemy.URL, error: BaseException) -> DatabaseUnreachableError:
    given = {
        "host": url.host,
        "port": url.port,
        "dbname": url.database,
        "user": url.username,
        "password": url.password,
        **url.query,
    }
    return cannot_connect(given, error)


def begin_immediately(engine: Engine) -> None:
    """Begin SQLite transactions by BEGIN IMMEDIATE.

    After the driver's BEGIN, which only reads, a later write may fail.
    """
    event = require_sqlalchemy().event

    def connected(connection: Any, record: Any) -> None:
        connection.isolation_level = None

    def begun(connection: Any) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)


def file_of(url: sqlalchemy.URL) -> Path | None:
    """The file of a SQLite database; None for a database in memory or another vendor."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database)).absolute()


def vendor_of(backend: str) -> Vendor:
    """The vendor by SQLAlchemy's name. Raises DBOSInitializationError for an unsupported one."""
    if backend == "postgresql":
        return "postgresql"
    if backend == "sqlite":
        return "sqlite"
    raise DBOSInitializationError(f"{backend} cannot be a datasource: use PostgreSQL or SQLite")


def storage_session(connection: Any, dialect: Dialect) -> Session:
    """The storage port on a SQLAlchemy connection or session, with any driver."""
    text = require_sqlalchemy().text

    def execute(sql: str, params: dict[str, Any]) -> Cursor:
        return ResultOfSqlalchemy(connection.execute(text(sql), params))

    def script(sql: str) -> None:
        execute(sql, {})

    return Session(dialect, execute, script)


def is_transient(error: BaseException) -> bool:
    """Whether the same transaction may succeed later."""
    from dboshub.workflows.storage import transient_errors

    exc = require_sqlalchemy().exc
    if isinstance(error, StorageUnavailableError | exc.TimeoutError):
        return True
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return True
    cause = getattr(error, "orig", None) or error.__cause__ or error
    state = getattr(cause, "sqlstate", None)
    return (
        state in _RETRIED
        or transient_errors.is_transient(cause)
        or transient_errors.is_transient(error)
    )


def is_of_this_call(error: BaseException) -> bool:
    """Whether a value of the transaction may be why it fails: see ``transient_errors``."""
    from dboshub.workflows.storage import transient_errors

    cause = getattr(error, "orig", None) or error.__cause__ or error
    return transient_errors.is_of_this_call(cause)


def isolation_options(dialect: Dialect, isolation_level: str) -> dict[str, Any]:
    """The execution options of a level; none on SQLite, which is always SERIALIZABLE.

    Raises DBOSInitializationError for an unknown level.
    """
    if isolation_level not in LEVELS:
        raise DBOSInitializationError(
            f"{isolation_level!r} is not an isolation level: {', '.join(LEVELS)}"
        )
    return {} if dialect.vendor == "sqlite" else {"isolation_level": isolation_level}
