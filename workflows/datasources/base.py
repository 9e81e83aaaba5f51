"""Base of the sync and the async datasource: database, sessions and checkpoints."""

from __future__ import annotations

import functools
import inspect
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, ClassVar, TypedDict

from dboshub.workflows.datasources import sqlalchemy_support
from dboshub.workflows.datasources.joined_transaction import (
    SessionTransaction,
    tracking_transaction,
)
from dboshub.workflows.datasources.session_effects import CloseSource, InSession, close, commit
from dboshub.workflows.datasources.sqlalchemy_support import IsolationLevel
from dboshub.workflows.engine.current_engine import engine, is_launched
from dboshub.workflows.engine.errors import DBOSException, DBOSInitializationError
from dboshub.workflows.engine.ports import TransactionOptions
from dboshub.workflows.engine.programs import Outcome, Program, mark_coroutine
from dboshub.workflows.engine.registration.decorated import within_methods
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.schema_names import schema_problem
from dboshub.workflows.engine.serialization import Codec, Serializer
from dboshub.workflows.engine.unserializable import result_of
from dboshub.workflows.storage import datasource_checkpoints
from dboshub.workflows.storage.database_urls import mask_password
from dboshub.workflows.storage.datasource_checkpoints import Recorded
from dboshub.workflows.storage.sql import Dialect, Session

SERIALIZABLE: IsolationLevel = "SERIALIZABLE"
DEFAULT_SCHEMA = "dbos"


class DatasourceOptions(TypedDict, total=False):
    """Options of a transaction: the parameters of ``@datasource.transaction()``."""

    name: str | None
    isolation_level: IsolationLevel | None


class Source(ABC):
    """A database of the user. Subclasses open its sessions."""

    known: weakref.WeakSet[Source] = weakref.WeakSet()  # all sources of this process
    kind: ClassVar[str]  # for errors: a sync, or an async

    def __init__(self, *, url: str, schema: str | None, serializer: Serializer | None) -> None:
        self.url = url
        self.schema = schema or DEFAULT_SCHEMA
        if (problem := schema_problem(self.schema)) is not None:
            raise DBOSInitializationError(f"schema name {schema!r}: {problem}")
        self._codec = Codec(serializer) if serializer is not None else None
        self._current: ContextVar[Any] = ContextVar("dboshub_datasource_session", default=None)

    @abstractmethod
    def checked_function(
        self, function: Callable[..., Any], *, is_decorated: bool = False
    ) -> Callable[..., Any]:
        """The function. Raises DBOSException for a sync one if this is async, and vice versa."""

    @abstractmethod
    def run(
        self,
        options: TransactionOptions,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Run a transaction: in a workflow as a step, elsewhere without a checkpoint."""

    # -- sessions --------------------------------------------------------------------------

    @property
    @abstractmethod
    def dialect(self) -> Dialect:
        """The SQL dialect of the database."""

    @property
    @abstractmethod
    def file(self) -> Path | None:
        """The file of a SQLite database, or None."""

    @abstractmethod
    def open(self) -> Any:
        """A new session; its transaction begins with its first statement."""

    @abstractmethod
    def run_program(self, engine: Engine, program: Program[Any]) -> Any:
        """Run a program, and block until it ends."""

    @abstractmethod
    def release(self, engine: Engine) -> None:
        """Close the connections that are kept for an engine, which ends."""

    @property
    def has_session(self) -> bool:
        return self._current.get() is not None

    @property
    def session(self) -> Any:
        """The session of the current transaction. Raises AssertionError outside one."""
        session = self._current.get()
        assert session is not None, (
            f"sql_session() must be called within {self.kind} datasource transaction"
        )
        return session

    @contextmanager
    def current_session(self, session: Any) -> Iterator[SessionTransaction]:
        """Make this the session that ``sql_session()`` returns in the block."""
        joined = SessionTransaction(session, self.dialect)
        token = self._current.set(session)
        try:
            with tracking_transaction(self.file, joined):
                yield joined
        finally:
            self._current.reset(token)

    def begin_at_level(self, isolation_level: str | None) -> Callable[[Any], None]:
        """A function that begins a session's transaction at a level; None is SERIALIZABLE."""
        options = sqlalchemy_support.isolation_options(
            self.dialect, isolation_level or SERIALIZABLE
        )

        def begin(session: Any) -> None:
            session.connection(execution_options=options)

        return begin

    def storage(self, session: Any) -> Session:
        """The storage port on a SQLAlchemy session."""
        return sqlalchemy_support.storage_session(session, self.dialect)

    def is_transient(self, error: Exception) -> bool:
        return sqlalchemy_support.is_transient(error)

    def is_of_this_call(self, error: Exception) -> bool:
        return sqlalchemy_support.is_of_this_call(error)

    # -- checkpoints -----------------------------------------------------------------------

    @property
    def codec(self) -> Codec:
        return self._codec or engine().codec

    def value_checkpoint(self, name: str, value: Any) -> tuple[Recorded, Any]:
        """The checkpoint of what a step returned, and the value as a replay returns it."""
        codec = self.codec
        text = codec.encode(value, subject=result_of("transaction", name))
        live = value if codec.is_lossless else codec.decode(text, codec.name)
        return Recorded(text, None, codec.name), live

    def error_checkpoint(self, error: Exception) -> Recorded:
        return Recorded(None, self.codec.encode_error(error), self.codec.name)

    def outcome_of(self, recorded: Recorded) -> Outcome:
        if recorded.error is None:
            value = self.codec.decode(recorded.output, recorded.serialization)
            return Outcome(value, None)
        error = self.codec.decode_error(recorded.error, recorded.serialization)
        if not isinstance(error, Exception):
            error = DBOSException(f"the transaction ended by {error!r}")
        return Outcome(None, error)

    # -- tables ----------------------------------------------------------------------------

    def prepare(self, *, run_migrations: bool) -> Program[None]:
        """Create the tables, or verify them; after an error the source is closed."""
        try:
            yield from self.migrate() if run_migrations else self.verify()
        except BaseException:
            yield CloseSource(self)
            raise
        Source.known.add(self)

    def migrate(self) -> Program[None]:
        """Create the tables that are missing."""
        yield from self.in_transaction(datasource_checkpoints.migrate)

    def migrate_for(self, application_role: str | None) -> Program[None]:
        """Create the tables, grant their use to a role of PostgreSQL, and close the source."""
        try:
            yield from self.migrate()
            if application_role is not None and self.dialect.vendor == "postgresql":
                yield from self.in_transaction(
                    lambda session: datasource_checkpoints.grant(session, application_role)
                )
        finally:
            yield CloseSource(self)

    def verify(self) -> Program[None]:
        """Raise DBOSInitializationError if the tables are missing or too old."""
        found = yield from self.in_transaction(datasource_checkpoints.version)
        if found < datasource_checkpoints.VERSION:
            raise DBOSInitializationError(
                f"the datasource {mask_password(self.url)} has tables of version {found}, but "
                f"{datasource_checkpoints.VERSION} is needed: create it with run_migrations=True, "
                "or let somebody who may create tables run its class's migrate(url)"
            )

    def in_transaction(self, work: Callable[[Session], Any]) -> Program[Any]:
        """Run `work` on the storage port of a new session, and commit.

        Raises DatabaseUnreachableError where no connection can be made.
        """
        session = self.open()
        try:
            yield InSession(session, sqlalchemy_support.connect)
            answer = yield InSession(session, lambda opened: work(self.storage(opened)))
            yield InSession(session, commit)
        finally:
            yield InSession(session, close)
        return answer


def decorator(
    source: Source,
    function: Callable[..., Any] | None,
    name: str | None,
    isolation_level: IsolationLevel,
) -> Any:
    """A decorator for transactions on `source`; the decorated function itself if one is given."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        chosen: DatasourceOptions = {"name": name, "isolation_level": isolation_level}
        options = checked_options(source.checked_function(function, is_decorated=True), chosen)

        @functools.wraps(function)
        def begin(*args: Any, **kwargs: Any) -> Any:
            return source.run(options, function, args, kwargs)

        return mark_coroutine(begin) if inspect.iscoroutinefunction(function) else begin

    inside = within_methods(decorate)
    return inside if function is None else inside(function)


def refuse_after_launch() -> None:
    """Raise DBOSException after launch: recovery needs all datasources at once."""
    if is_launched():
        raise DBOSException("Datasources must be created before DBOS.launch()")


def checked_options(
    function: Callable[..., Any], options: DatasourceOptions | None
) -> TransactionOptions:
    """Name and isolation level of a transaction; SERIALIZABLE by default.

    Raises DBOSException for an unknown option or isolation level.
    """
    given: dict[str, Any] = dict(options or {})
    name = given.pop("name", None) or getattr(function, "__qualname__", type(function).__name__)
    level = given.pop("isolation_level", None) or SERIALIZABLE
    if given:
        raise DBOSException(f"unknown datasource options: {', '.join(sorted(given))}")
    if level not in sqlalchemy_support.LEVELS:
        raise DBOSException(
            f"{level!r} is not an isolation level: {', '.join(sqlalchemy_support.LEVELS)}"
        )
    return TransactionOptions(name, level)
