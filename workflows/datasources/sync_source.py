"""The public class ``SQLAlchemyDatasource``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from dboshub.workflows.datasources import sqlalchemy_support
from dboshub.workflows.datasources.base import (
    SERIALIZABLE,
    DatasourceOptions,
    Source,
    checked_options,
    decorator,
    refuse_after_launch,
)
from dboshub.workflows.datasources.sqlalchemy_support import IsolationLevel
from dboshub.workflows.datasources.transaction_step import run_without_step, step
from dboshub.workflows.engine.context import FRAME
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.ports import TransactionOptions
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.programs import run as block
from dboshub.workflows.engine.runtime.engine import Engine as LaunchedEngine
from dboshub.workflows.engine.serialization import Serializer
from dboshub.workflows.storage.sql import Dialect

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session, sessionmaker

P = ParamSpec("P")
R = TypeVar("R")


class SyncSource(Source):
    """A datasource with blocking sessions."""

    kind = "a sync"

    def __init__(
        self,
        *,
        url: str,
        engine: Engine | None,
        engine_kwargs: dict[str, Any],
        schema: str | None,
        serializer: Serializer | None,
        sessionmaker: sessionmaker[Any] | None = None,
    ) -> None:
        super().__init__(url=url, schema=schema, serializer=serializer)
        sqlalchemy_support.require_sqlalchemy()
        from sqlalchemy import orm

        self.engine = engine or sqlalchemy_support.new_engine(url, engine_kwargs)
        self.made_engine = engine is None
        if sessionmaker is not None and not isinstance(sessionmaker, orm.sessionmaker):
            raise DBOSException("SQLAlchemyDatasource requires a sqlalchemy.orm.sessionmaker")
        self._open = sessionmaker or orm.sessionmaker(expire_on_commit=False)
        self._dialect = Dialect(
            sqlalchemy_support.vendor_of(self.engine.dialect.name), self.schema, pyformat=False
        )

    @property
    def dialect(self) -> Dialect:
        return self._dialect

    @property
    def file(self) -> Path | None:
        return sqlalchemy_support.file_of(self.engine.url)

    def open(self) -> Any:
        return self._open(bind=self.engine)

    def run_program(self, engine: LaunchedEngine, program: Program[Any]) -> Any:
        return block(program)

    def release(self, engine: LaunchedEngine) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections of an engine of our own; they are opened again on use."""
        if self.made_engine:
            self.engine.dispose()

    def checked_function(
        self, function: Callable[..., Any], *, is_decorated: bool = False
    ) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(function):
            name = function.__qualname__
            raise DBOSException(
                f"SyncDatasource.transaction requires a non-coroutine function, but {name} is a "
                "coroutine: it needs an AsyncSQLAlchemyDatasource"
                if is_decorated
                else f"Function {name} is a coroutine; use AsyncDatasource.run_tx_step_async "
                "instead"
            )
        return function

    def run(
        self,
        options: TransactionOptions,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        current = FRAME.get()
        if current is None or current.step is not None:
            return block(run_without_step(self, options.isolation_level, function, args, kwargs))
        return block(step(self, current.execution, options, function, args, kwargs))


class SQLAlchemyDatasource:
    """A database of the user; its transactions are steps that run exactly once.

    PostgreSQL or SQLite. Make it by ``create``, before ``DBOS.launch()``.
    """

    def __init__(
        self,
        *,
        database_url: str,
        engine_kwargs: dict[str, Any],
        engine: Engine | None,
        schema: str | None,
        serializer: Serializer | None,
        sessionmaker: sessionmaker[Any] | None = None,
    ) -> None:
        self._source = SyncSource(
            url=database_url,
            engine=engine,
            engine_kwargs=engine_kwargs,
            schema=schema,
            serializer=serializer,
            sessionmaker=sessionmaker,
        )

    @staticmethod
    def create(
        database_url: str,
        engine_kwargs: dict[str, Any] | None = None,
        engine: Engine | None = None,
        schema: str | None = None,
        serializer: Serializer | None = None,
        sessionmaker: sessionmaker[Any] | None = None,
        run_migrations: bool = True,
    ) -> SQLAlchemyDatasource:
        """Connect, and create the tables; without `run_migrations` verify that they exist.

        Raises DBOSException after launch and DBOSInitializationError for missing tables.
        """
        refuse_after_launch()
        made = SQLAlchemyDatasource(
            database_url=database_url,
            engine_kwargs=engine_kwargs or {},
            engine=engine,
            schema=schema,
            serializer=serializer,
            sessionmaker=sessionmaker,
        )
        block(made._source.prepare(run_migrations=run_migrations))
        return made

    @staticmethod
    def migrate(
        database_url: str, *, schema: str | None = None, application_role: str | None = None
    ) -> None:
        """Create the tables, and grant their use to `application_role` (PostgreSQL)."""
        made = SQLAlchemyDatasource(
            database_url=database_url,
            engine_kwargs={},
            engine=None,
            schema=schema,
            serializer=None,
        )
        block(made._source.migrate_for(application_role))

    def run_migrations(self) -> None:
        """Create the tables that are missing."""
        block(self._source.migrate())

    def verify_migrations(self) -> None:
        """Raise DBOSInitializationError if tables are missing."""
        block(self._source.verify())

    def sql_session(self) -> Session:
        """The session of the current transaction. Raises AssertionError outside one."""
        session: Session = self._source.session
        return session

    def run_tx_step(
        self,
        ds_options: DatasourceOptions | None,
        func: Callable[P, R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Run any function as a transaction; in a workflow body it is a step."""
        source = self._source
        options = checked_options(source.checked_function(func), ds_options)
        result: R = source.run(options, func, args, kwargs)
        return result

    def transaction(
        self,
        func: Callable[..., Any] | None = None,
        *,
        name: str | None = None,
        isolation_level: IsolationLevel = SERIALIZABLE,
    ) -> Any:
        """Decorator: each call of the function is a transaction. Parentheses are optional."""
        return decorator(self._source, func, name, isolation_level)

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine, for work outside transactions of workflows."""
        return self._source.engine

    @property
    def created_engine(self) -> bool:
        """Whether the datasource made its engine; a given one is the caller's to close."""
        return self._source.made_engine

    def close(self) -> None:
        """Close the connections, unless the engine was given; they are opened again on use."""
        self._source.close()
