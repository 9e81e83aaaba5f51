"""The public class ``AsyncSQLAlchemyDatasource``."""

from __future__ import annotations

import asyncio
import inspect
import weakref
from collections.abc import Callable, Coroutine
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
from dboshub.workflows.engine.programs import Program, run_async
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.serialization import Serializer
from dboshub.workflows.storage.sql import Dialect

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

P = ParamSpec("P")
R = TypeVar("R")


CLOSE_S = 5.0


class AsyncSource(Source):
    """A datasource with awaited sessions, on any event loop."""

    kind = "an async"

    def __init__(
        self,
        *,
        url: str,
        engine: AsyncEngine | None,
        engine_kwargs: dict[str, Any],
        schema: str | None,
        serializer: Serializer | None,
        sessionmaker: async_sessionmaker[Any] | None = None,
    ) -> None:
        super().__init__(url=url, schema=schema, serializer=serializer)
        sqlalchemy_support.require_sqlalchemy()
        from sqlalchemy.ext import asyncio as library_asyncio

        self._engine = engine
        self._options = engine_kwargs
        # A connection belongs to the event loop that opened it; workflows run on several loops.
        self._engines: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncEngine] = (
            weakref.WeakKeyDictionary()
        )
        if not isinstance(sessionmaker, library_asyncio.async_sessionmaker | None):
            raise DBOSException("AsyncSQLAlchemyDatasource requires an async_sessionmaker")
        self._open = sessionmaker or library_asyncio.async_sessionmaker(expire_on_commit=False)
        place = (
            engine.url if engine is not None else sqlalchemy_support.driver_url(url, is_async=True)
        )
        vendor = sqlalchemy_support.vendor_of(place.get_backend_name())
        self._dialect = Dialect(vendor, self.schema, pyformat=False)
        self._file = sqlalchemy_support.file_of(place)

    @property
    def dialect(self) -> Dialect:
        return self._dialect

    @property
    def file(self) -> Path | None:
        return self._file

    @property
    def engine(self) -> AsyncEngine:
        return self._engine or self._engine_here()

    @property
    def made_engine(self) -> bool:
        return self._engine is None

    def open(self) -> Any:
        return self._open(bind=self.engine)

    def run_program(self, engine: Engine, program: Program[Any]) -> Any:
        async def on_the_loop() -> Any:
            return await run_async(program)

        return engine.loop.run(on_the_loop())

    def release(self, engine: Engine) -> None:
        for loop in [*self._engines]:
            if loop is asyncio._get_running_loop():
                engine.loop.submit(self.close(), loop)  # it cannot be awaited here
            elif loop.is_running():
                asyncio.run_coroutine_threadsafe(self.close(), loop).result(CLOSE_S)

    async def close(self) -> None:
        """Close the connections of this event loop, on an engine of our own."""
        engine = self._engines.pop(asyncio.get_running_loop(), None)
        if engine is not None:
            await engine.dispose()

    def _engine_here(self) -> AsyncEngine:
        loop = asyncio.get_running_loop()
        engine = self._engines.get(loop)
        if engine is None:
            engine = sqlalchemy_support.new_async_engine(self.url, self._options)
            self._engines[loop] = engine
        return engine

    def checked_function(
        self, function: Callable[..., Any], *, is_decorated: bool = False
    ) -> Callable[..., Any]:
        if not inspect.iscoroutinefunction(function):
            name = getattr(function, "__qualname__", function)
            raise DBOSException(
                f"AsyncDatasource.transaction requires a coroutine function, but {name} is not: it "
                "needs a SQLAlchemyDatasource"
                if is_decorated
                else f"Function {name} must be a coroutine function for AsyncDatasource"
            )
        return function

    def run(
        self,
        options: TransactionOptions,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Coroutine[Any, Any, Any]:
        current = FRAME.get()
        if current is None or current.step is not None:
            return run_async(
                run_without_step(self, options.isolation_level, function, args, kwargs)
            )
        return run_async(step(self, current.execution, options, function, args, kwargs))


class AsyncSQLAlchemyDatasource:
    """A database of the user; its transactions are async steps that run exactly once.

    PostgreSQL, or SQLite by aiosqlite. Make it by ``await create(…)``, before ``DBOS.launch()``.
    """

    def __init__(
        self,
        *,
        database_url: str,
        engine_kwargs: dict[str, Any],
        engine: AsyncEngine | None,
        schema: str | None,
        serializer: Serializer | None,
        sessionmaker: async_sessionmaker[Any] | None = None,
    ) -> None:
        self._source = AsyncSource(
            url=database_url,
            engine=engine,
            engine_kwargs=engine_kwargs,
            schema=schema,
            serializer=serializer,
            sessionmaker=sessionmaker,
        )

    @staticmethod
    async def create(
        database_url: str,
        engine_kwargs: dict[str, Any] | None = None,
        engine: AsyncEngine | None = None,
        schema: str | None = None,
        serializer: Serializer | None = None,
        sessionmaker: async_sessionmaker[Any] | None = None,
        run_migrations: bool = True,
    ) -> AsyncSQLAlchemyDatasource:
        """Connect, and create the tables; without `run_migrations` verify that they exist.

        Raises DBOSException after launch and DBOSInitializationError for missing tables.
        """
        refuse_after_launch()
        made = AsyncSQLAlchemyDatasource(
            database_url=database_url,
            engine_kwargs=engine_kwargs or {},
            engine=engine,
            schema=schema,
            serializer=serializer,
            sessionmaker=sessionmaker,
        )
        await run_async(made._source.prepare(run_migrations=run_migrations))
        return made

    @staticmethod
    async def migrate(
        database_url: str, *, schema: str | None = None, application_role: str | None = None
    ) -> None:
        """Create the tables, and grant their use to `application_role` (PostgreSQL)."""
        made = AsyncSQLAlchemyDatasource(
            database_url=database_url,
            engine_kwargs={},
            engine=None,
            schema=schema,
            serializer=None,
        )
        await run_async(made._source.migrate_for(application_role))

    async def run_migrations(self) -> None:
        """Create the tables that are missing."""
        await run_async(self._source.migrate())

    async def verify_migrations(self) -> None:
        """Raise DBOSInitializationError if tables are missing."""
        await run_async(self._source.verify())

    def sql_session(self) -> AsyncSession:
        """The session of the current transaction. Raises AssertionError outside one."""
        session: AsyncSession = self._source.session
        return session

    def run_tx_step_async(
        self,
        ds_options: DatasourceOptions | None,
        func: Callable[P, Coroutine[Any, Any, R]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Coroutine[Any, Any, R]:
        """Run any coroutine function as a transaction; in a workflow body it is a step."""
        source = self._source
        return source.run(
            checked_options(source.checked_function(func), ds_options), func, args, kwargs
        )

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
    def engine(self) -> AsyncEngine:
        """The SQLAlchemy engine of this event loop, for work outside transactions of workflows."""
        return self._source.engine

    @property
    def created_engine(self) -> bool:
        """Whether the datasource made its engine; a given one is the caller's to close."""
        return self._source.made_engine

    async def close(self) -> None:
        """Close the connections of this event loop, unless the engine was given."""
        await self._source.close()
