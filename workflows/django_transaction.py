"""Engine writes on Django's connection: they commit or roll back with the Django transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction

from dboshub.workflows.connection import session_on, system_alias
from dboshub.workflows.datasources.session_context import current_lazy_session, providing_session
from dboshub.workflows.datasources.sqlalchemy_support import require_sqlalchemy
from dboshub.workflows.django_database_url import url_of_alias
from dboshub.workflows.django_settings import given_system_database_url
from dboshub.workflows.engine.errors import DatabaseUrlError
from dboshub.workflows.engine.journal.writes import Answer, StepWrite, Verdict, Write
from dboshub.workflows.engine.operations import ambient_transaction
from dboshub.workflows.engine.ports import (
    JoinedTransaction,
    StorageUnavailableError,
    TransactionOptions,
)
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.storage.database import Database, is_url_of
from dboshub.workflows.storage.journal.single import apply_single
from dboshub.workflows.storage.transient_errors import (
    before_user_code,
    is_of_this_call,
    is_transient,
)

logger = logging.getLogger("dboshub")


class DjangoTransaction:
    """The transaction that this thread has open on an alias of the system database."""

    def __init__(self, alias: str) -> None:
        self._alias = alias

    def apply(self, write: Write, *, now: int) -> Answer:
        return apply_single(session_on(self._alias), write, now=now)

    def on_commit(self, callback: Callable[[], None]) -> None:
        transaction.on_commit(callback, using=self._alias)


class DjangoTransactor:
    """Runs ``DBOS.transaction`` steps on Django's connection; ``DBOS.sql_session`` joins them."""

    def __init__(self, alias: str) -> None:
        self._alias = alias

    def step(
        self,
        options: TransactionOptions,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Program[Any]:
        return ambient_transaction.transaction(self, options, function, args, kwargs)

    def run(
        self,
        body: Callable[[], tuple[StepWrite, Any]],
        *,
        now: int,
        isolation_level: str | None,
    ) -> tuple[Answer, Any]:
        # durable=True: inside the caller's atomic(), this block would not commit.
        with ExitStack() as block:
            with before_user_code():
                block.enter_context(transaction.atomic(using=self._alias, durable=True))
                self._set_isolation_level(isolation_level)
            write, value = self._with_sql_session(body)
            answer = apply_single(session_on(self._alias), write, now=now)
            if answer.verdict is not Verdict.DONE:
                transaction.set_rollback(True, using=self._alias)
        return answer, value

    def run_without_step(self, isolation_level: str | None, call: Callable[[], Any]) -> Any:
        if connections[self._alias].in_atomic_block:
            return self._with_sql_session(call)
        with transaction.atomic(using=self._alias):
            self._set_isolation_level(isolation_level)
            return self._with_sql_session(call)

    def is_transient(self, error: Exception) -> bool:
        if isinstance(error, StorageUnavailableError):
            return True
        return is_transient(error) or is_transient(error.__cause__ or error)

    def is_of_this_call(self, error: Exception) -> bool:
        return is_of_this_call(error.__cause__ or error)

    def close(self) -> None:
        """Nothing to close: Django owns its connections."""

    def _with_sql_session(self, call: Callable[[], Any]) -> Any:
        if current_lazy_session() is not None:
            return call()
        with providing_session(partial(_django_sql_session, self._alias)) as offered:
            try:
                value = call()
                offered.flush()
            finally:
                offered.close()
        return value

    def _set_isolation_level(self, isolation_level: str | None) -> None:
        connection = connections[self._alias]
        if isolation_level is not None and connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation_level}")


def _django_sql_session(alias: str) -> Any:
    require_sqlalchemy()
    from dboshub.workflows.datasources.django_connection import session_on

    return session_on(alias)


def after_commit(alias: str) -> Callable[[Callable[[], None]], None]:
    """What calls back when a thread's transaction on an alias commits, at once if it has none."""

    def call_back(callback: Callable[[], None]) -> None:
        if connections[alias].in_atomic_block:
            transaction.on_commit(callback, using=alias, robust=True)
        else:
            callback()

    return call_back


def django_transaction_on(alias: str) -> Callable[[], JoinedTransaction | None]:
    """A function that returns the transaction this thread has open on an alias, or None."""
    found = DjangoTransaction(alias)

    def ambient() -> JoinedTransaction | None:
        return found if connections[alias].in_atomic_block else None

    return ambient


def alias_of(database: Database) -> str | None:
    """The alias in DATABASES of a system database, or None if this project has no such alias."""
    if not settings.configured:
        return None
    alias = system_alias()
    return alias if alias in connections and _is_url_of(alias, database) else None


def _is_url_of(alias: str, database: Database) -> bool:
    """By the same way, or by the one that the project says leads to the same database."""
    given = given_system_database_url()
    try:
        if is_url_of(url_of_alias(alias), database):
            return True
        is_same_kind = connections[alias].vendor == database.vendor
        return is_same_kind and given != "" and is_url_of(given, database)
    except (ImproperlyConfigured, DatabaseUrlError):
        return False
