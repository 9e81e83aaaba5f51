"""The application database of ``@DBOS.transaction``, if it is not Django's connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dboshub.workflows.datasources import sqlalchemy_support
from dboshub.workflows.datasources.base import SERIALIZABLE, Source
from dboshub.workflows.datasources.joined_transaction import SessionTransaction
from dboshub.workflows.datasources.session_context import current_lazy_session, providing_session
from dboshub.workflows.datasources.sync_source import SyncSource
from dboshub.workflows.datasources.transaction_step import step
from dboshub.workflows.engine.context import workflow_frame
from dboshub.workflows.engine.journal.writes import Answer, StepWrite, Verdict
from dboshub.workflows.engine.operations.ambient_transaction import transaction
from dboshub.workflows.engine.ports import JoinedTransaction, TransactionOptions
from dboshub.workflows.engine.programs import Program, run
from dboshub.workflows.storage.sql import Dialect
from dboshub.workflows.storage.transient_errors import before_user_code

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session


class SystemApplicationDatabase:
    """Transactions on the system database: data and checkpoint commit together.

    The first transaction needs SQLAlchemy and makes its engine.
    """

    def __init__(self, url: str, dialect: Dialect, *, behind_pooler: bool = False) -> None:
        self._url = url
        self._dialect = dialect
        # A pooler in transaction mode does not keep prepared statements for a session.
        self._options = {"connect_args": {"prepare_threshold": None}} if behind_pooler else {}
        self._joined: ContextVar[SessionTransaction | None] = ContextVar(
            "dboshub_sql_joined", default=None
        )

    def step(
        self,
        options: TransactionOptions,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Program[Any]:
        return transaction(self, options, function, args, kwargs)

    def run(
        self,
        body: Callable[[], tuple[StepWrite, Any]],
        *,
        now: int,
        isolation_level: str | None,
    ) -> tuple[Answer, Any]:
        with ExitStack() as block:
            with before_user_code():
                joined = block.enter_context(self._transaction(isolation_level))
            write, value = body()
            answer = joined.apply(write, now=now)
            if answer.verdict is not Verdict.DONE:
                joined.session.rollback()
        return answer, value

    def run_without_step(self, isolation_level: str | None, call: Callable[[], Any]) -> Any:
        if current_lazy_session() is not None:
            return call()
        with self._transaction(isolation_level):
            return call()

    def ambient(self) -> JoinedTransaction | None:
        """The current transaction, which the engine's writes join, or None."""
        return self._joined.get()

    def is_transient(self, error: Exception) -> bool:
        return sqlalchemy_support.is_transient(error)

    def is_of_this_call(self, error: Exception) -> bool:
        return sqlalchemy_support.is_of_this_call(error)

    def close(self) -> None:
        if "_engine" in self.__dict__:
            self._engine.dispose()

    @cached_property
    def _engine(self) -> Engine:
        return sqlalchemy_support.new_engine(self._url, self._options)

    def _open(self) -> Session:
        sqlalchemy_support.require_sqlalchemy()
        from sqlalchemy.orm import Session

        return Session(self._engine, expire_on_commit=False)

    @contextmanager
    def _transaction(self, isolation_level: str | None) -> Iterator[SessionTransaction]:
        """A transaction that commits at the end of the block, unless the block raises."""
        options = sqlalchemy_support.isolation_options(
            self._dialect, isolation_level or SERIALIZABLE
        )
        with self._open() as session:
            session.connection(execution_options=options)
            joined = SessionTransaction(session, self._dialect)
            token = self._joined.set(joined)
            try:
                with providing_session(lambda: session):
                    yield joined
            finally:
                self._joined.reset(token)
            session.commit()
            joined.committed()


class SeparateApplicationDatabase:
    """Transactions on another database, which keeps their checkpoints."""

    def __init__(self, url: str) -> None:
        """Connect, and create the tables.

        Raises DatabaseUnreachableError, and DBOSInitializationError without SQLAlchemy.
        """
        self._source = SyncSource(
            url=url, engine=None, engine_kwargs={}, schema=None, serializer=None
        )
        run(self._source.prepare(run_migrations=True))

    def step(
        self,
        options: TransactionOptions,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Program[Any]:
        def body(*args: Any, **kwargs: Any) -> Any:
            with providing_session(lambda: self._source.session):
                return function(*args, **kwargs)

        execution = workflow_frame("DBOS.transaction").execution
        return step(self._source, execution, options, body, args, kwargs)

    def run_without_step(self, isolation_level: str | None, call: Callable[[], Any]) -> Any:
        if current_lazy_session() is not None:
            return call()

        def body() -> Any:
            with providing_session(lambda: self._source.session):
                return call()

        return self._source.run(TransactionOptions("", isolation_level), body, (), {})

    def close(self) -> None:
        Source.known.discard(self._source)
        self._source.close()
