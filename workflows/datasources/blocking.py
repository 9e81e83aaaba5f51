"""The public class ``SQLAlchemyDatasource``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from workflows.datasources import library
from workflows.datasources.base import Base, DatasourceOptions, named, refuse_late
from workflows.datasources.library import IsolationLevel
from workflows.datasources.steps import plainly, step
from workflows.engine.context import FRAME
from workflows.engine.engine import Engine as LaunchedEngine
from workflows.engine.errors import DBOSException
from workflows.engine.programs import Call, Effect, Program, run
from workflows.engine.serialization import Serializer
from workflows.storage import datasource
from workflows.storage.sql import Dialect

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session, sessionmaker


class SQLAlchemyDatasource(Base):
    """A database of your own, whose transactions are steps that happen exactly once.

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
        super().__init__(url=database_url, schema=schema, serializer=serializer)
        library.library()
        from sqlalchemy import orm

        self.engine = engine or library.new_engine(database_url, engine_kwargs)
        self._is_own = engine is None
        self._open = sessionmaker or orm.sessionmaker(expire_on_commit=False)
        self._dialect = Dialect(
            library.vendor_of(self.engine.dialect.name), self.schema, pyformat=False
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
        """Connect, and create the tables or, without `run_migrations`, check that they are there.

        Raises DBOSException after launch and DBOSInitializationError for missing tables.
        """
        refuse_late()
        made = SQLAlchemyDatasource(
            database_url=database_url,
            engine_kwargs=engine_kwargs or {},
            engine=engine,
            schema=schema,
            serializer=serializer,
            sessionmaker=sessionmaker,
        )
        try:
            if run_migrations:
                made.run_migrations()
            else:
                made.verify_migrations()
        except BaseException:
            made.close()
            raise
        Base.known.add(made)
        return made

    @staticmethod
    def migrate(
        database_url: str, *, schema: str | None = None, application_role: str | None = None
    ) -> None:
        """Create the tables, and let `application_role` use them (PostgreSQL)."""
        made = SQLAlchemyDatasource(
            database_url=database_url,
            engine_kwargs={},
            engine=None,
            schema=schema,
            serializer=None,
        )
        try:
            made.run_migrations()
            if application_role is not None and made.dialect.vendor == "postgresql":
                with made.open() as session, session.begin():
                    datasource.grant(made.storage(session), application_role)
        finally:
            made.close()

    def run_migrations(self) -> None:
        """Create the tables that are missing."""
        with self.open() as session, session.begin():
            self.migrate_in(session)

    def verify_migrations(self) -> None:
        """Raise DBOSInitializationError if tables are missing."""
        with self.open() as session:
            self.verify(session)

    def sql_session(self) -> Session:
        """The session of the transaction under way. Raises AssertionError outside of one."""
        session: Session | None = self._current.get()
        assert session is not None, "sql_session() must be called within a datasource transaction"
        return session

    def run_tx_step(
        self,
        ds_options: DatasourceOptions | None,
        func: Callable[..., Any],
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Run any function as a transaction: a step in a workflow, elsewhere no more than that."""
        return self._run(named(self._accepted(func), ds_options), func, args, kwargs)

    # -- what the steps need ---------------------------------------------------------------

    @property
    def dialect(self) -> Dialect:
        return self._dialect

    def open(self) -> Any:
        return self._open(bind=self.engine)

    def call(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Effect:
        return Call(function, args, kwargs)

    def finish(self, engine: LaunchedEngine, program: Program[Any]) -> Any:
        return run(program)

    def release(self, engine: LaunchedEngine) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open of an engine of our own; it opens again when it is used."""
        if self._is_own:
            self.engine.dispose()

    def _accepted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(function):
            raise DBOSException(
                f"{function.__qualname__} is async: it needs an AsyncSQLAlchemyDatasource"
            )
        return function

    def _run(
        self,
        options: tuple[str, IsolationLevel],
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        current = FRAME.get()
        if current is None or current.step is not None:
            return run(plainly(self, options[1], function, args, kwargs))
        return run(step(self, current.execution, options, function, args, kwargs))
