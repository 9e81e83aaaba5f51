"""The public class ``AsyncSQLAlchemyDatasource``."""

from __future__ import annotations

import asyncio
import inspect
import weakref
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from workflows.datasources import library
from workflows.datasources.base import Base, DatasourceOptions, named, refuse_late
from workflows.datasources.library import IsolationLevel
from workflows.datasources.steps import plainly, step
from workflows.engine.context import FRAME
from workflows.engine.engine import Engine
from workflows.engine.errors import DBOSException
from workflows.engine.programs import Call, Effect, Program, drive
from workflows.engine.serialization import Serializer
from workflows.storage import datasource
from workflows.storage.sql import Dialect

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker


class AsyncSQLAlchemyDatasource(Base):
    """A database of your own, whose transactions are async steps that happen exactly once.

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
        super().__init__(url=database_url, schema=schema, serializer=serializer)
        library.library()
        from sqlalchemy.ext import asyncio as library_asyncio

        self._engine = engine
        self._options = engine_kwargs
        # A connection belongs to the loop it was opened on, and workflows run on several.
        self._engines: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncEngine] = (
            weakref.WeakKeyDictionary()
        )
        self._open = sessionmaker or library_asyncio.async_sessionmaker(expire_on_commit=False)
        url = engine.url if engine is not None else library.driver_url(database_url, is_async=True)
        vendor = library.vendor_of(url.get_backend_name())
        self._dialect = Dialect(vendor, self.schema, pyformat=False)

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
        """Connect, and create the tables or, without `run_migrations`, check that they are there.

        Raises DBOSException after launch and DBOSInitializationError for missing tables.
        """
        refuse_late()
        made = AsyncSQLAlchemyDatasource(
            database_url=database_url,
            engine_kwargs=engine_kwargs or {},
            engine=engine,
            schema=schema,
            serializer=serializer,
            sessionmaker=sessionmaker,
        )
        try:
            if run_migrations:
                await made.run_migrations()
            else:
                await made.verify_migrations()
        except BaseException:
            await made.close()
            raise
        Base.known.add(made)
        return made

    @staticmethod
    async def migrate(
        database_url: str, *, schema: str | None = None, application_role: str | None = None
    ) -> None:
        """Create the tables, and let `application_role` use them (PostgreSQL)."""
        made = AsyncSQLAlchemyDatasource(
            database_url=database_url,
            engine_kwargs={},
            engine=None,
            schema=schema,
            serializer=None,
        )
        try:
            await made.run_migrations()
            if application_role is not None and made.dialect.vendor == "postgresql":
                async with made.open() as session, session.begin():
                    await session.run_sync(
                        lambda on: datasource.grant(made.storage(on), application_role)
                    )
        finally:
            await made.close()

    async def run_migrations(self) -> None:
        """Create the tables that are missing."""
        async with self.open() as session, session.begin():
            await session.run_sync(self.migrate_in)

    async def verify_migrations(self) -> None:
        """Raise DBOSInitializationError if tables are missing."""
        async with self.open() as session:
            await session.run_sync(self.verify)

    def sql_session(self) -> AsyncSession:
        """The session of the transaction under way. Raises AssertionError outside of one."""
        session: AsyncSession | None = self._current.get()
        assert session is not None, "sql_session() must be called within a datasource transaction"
        return session

    def run_tx_step_async(
        self,
        ds_options: DatasourceOptions | None,
        func: Callable[..., Coroutine[Any, Any, Any]],
        *args: Any,
        **kwargs: Any,
    ) -> Coroutine[Any, Any, Any]:
        """Run any coroutine function as a transaction: a step in a workflow, else only that."""
        return self._run(named(self._accepted(func), ds_options), func, args, kwargs)

    async def close(self) -> None:
        """Close what this event loop has open of engines of our own; others it cannot."""
        engine = self._engines.pop(asyncio.get_running_loop(), None)
        if engine is not None:
            await engine.dispose()

    # -- what the steps need ---------------------------------------------------------------

    @property
    def dialect(self) -> Dialect:
        return self._dialect

    def open(self) -> Any:
        return self._open(bind=self._engine or self._engine_here())

    def call(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Effect:
        return Call(function, args, kwargs)

    def finish(self, engine: Engine, program: Program[Any]) -> Any:
        async def on_the_loop() -> Any:
            return await drive(program)

        return engine.loop.run(on_the_loop())

    def release(self, engine: Engine) -> None:
        if self._engines:
            engine.loop.run(self.close())

    def _engine_here(self) -> AsyncEngine:
        loop = asyncio.get_running_loop()
        engine = self._engines.get(loop)
        if engine is None:
            engine = library.new_async_engine(self.url, self._options)
            self._engines[loop] = engine
        return engine

    def _accepted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if not inspect.iscoroutinefunction(function):
            raise DBOSException(
                f"{getattr(function, '__qualname__', function)} is no coroutine function: it "
                "needs a SQLAlchemyDatasource"
            )
        return function

    def _run(
        self,
        options: tuple[str, IsolationLevel],
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Coroutine[Any, Any, Any]:
        current = FRAME.get()
        if current is None or current.step is not None:
            return drive(plainly(self, options[1], function, args, kwargs))
        return drive(step(self, current.execution, options, function, args, kwargs))
