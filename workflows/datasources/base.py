"""What the sync and the async datasource share: the database, its sessions, its checkpoints."""

from __future__ import annotations

import functools
import inspect
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypedDict

from dboshub.workflows.datasources import sqlalchemy_support
from dboshub.workflows.datasources.joined_transaction import (
    SessionTransaction,
    tracking_transaction,
)
from dboshub.workflows.datasources.sqlalchemy_support import IsolationLevel
from dboshub.workflows.engine.current_engine import engine, is_launched
from dboshub.workflows.engine.errors import DBOSException, DBOSInitializationError
from dboshub.workflows.engine.ports import TransactionOptions
from dboshub.workflows.engine.programs import Outcome, Program, mark_coroutine
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.serialization import Codec, Serializer
from dboshub.workflows.engine.unserializable import result_of
from dboshub.workflows.storage import datasource_checkpoints
from dboshub.workflows.storage.connection_errors import mask_password
from dboshub.workflows.storage.database import SCHEMA_NAME
from dboshub.workflows.storage.datasource_checkpoints import Recorded
from dboshub.workflows.storage.sql import Dialect, Session

SERIALIZABLE: IsolationLevel = "SERIALIZABLE"
DEFAULT_SCHEMA = "dbos"


class DatasourceOptions(TypedDict, total=False):
    """How to run a transaction: the parameters of ``@datasource.transaction()``."""

    name: str | None
    isolation_level: IsolationLevel | None


class Source(ABC):
    """A user's database. Subclasses say how its sessions are opened."""

    known: weakref.WeakSet[Source] = weakref.WeakSet()

    def __init__(self, *, url: str, schema: str | None, serializer: Serializer | None) -> None:
        self.url = url
        self.schema = schema or DEFAULT_SCHEMA
        if not SCHEMA_NAME.match(self.schema):
            raise DBOSInitializationError(f"schema name {schema!r} is not [a-z_][a-z0-9_]*")
        self._codec = Codec(serializer) if serializer is not None else None
        self._current: ContextVar[Any] = ContextVar("dboshub_datasource_session", default=None)

    @abstractmethod
    def accepted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function. Raises DBOSException for one of the other kind, async or not."""

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
        """How its SQL is written."""

    @property
    @abstractmethod
    def file(self) -> Path | None:
        """Where a SQLite database is."""

    @abstractmethod
    def open(self) -> Any:
        """A new session that begins with its first statement."""

    @abstractmethod
    def finish(self, engine: Engine, program: Program[Any]) -> Any:
        """Run a program to its end, blocking."""

    @abstractmethod
    def release(self, engine: Engine) -> None:
        """Close what is kept open for an engine that ends."""

    @property
    def has_session(self) -> bool:
        return self._current.get() is not None

    @property
    def session(self) -> Any:
        """That of the transaction under way. Raises AssertionError outside of one."""
        session = self._current.get()
        assert session is not None, "sql_session() must be called within a datasource transaction"
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
        return sqlalchemy_support.storage_session(session, self.dialect)

    def is_transient(self, error: Exception) -> bool:
        return sqlalchemy_support.is_transient(error)

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

    def verify(self, session: Any) -> None:
        """Raise DBOSInitializationError unless the tables are there."""
        found = datasource_checkpoints.version(self.storage(session))
        if found < datasource_checkpoints.VERSION:
            raise DBOSInitializationError(
                f"the datasource {mask_password(self.url)} has tables of version {found}, but "
                f"{datasource_checkpoints.VERSION} is needed: create it with run_migrations=True, "
                "or let somebody who may create tables run its class's migrate(url)"
            )

    def migrate_in(self, session: Any) -> None:
        datasource_checkpoints.migrate(self.storage(session))


def decorator(
    source: Source,
    function: Callable[..., Any] | None,
    name: str | None,
    isolation_level: IsolationLevel,
) -> Any:
    """What makes each call of a function a transaction, with or without parentheses."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        chosen: DatasourceOptions = {"name": name, "isolation_level": isolation_level}
        options = checked_options(source.accepted(function), chosen)

        @functools.wraps(function)
        def begin(*args: Any, **kwargs: Any) -> Any:
            return source.run(options, function, args, kwargs)

        return mark_coroutine(begin) if inspect.iscoroutinefunction(function) else begin

    return decorate if function is None else decorate(function)


def refuse_after_launch() -> None:
    """Recovery may need a datasource from the first moment on."""
    if is_launched():
        raise DBOSException("datasources must be created before DBOS.launch()")


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
            f"{level!r} is no isolation level: {', '.join(sqlalchemy_support.LEVELS)}"
        )
    return TransactionOptions(name, level)
