"""Part of the public class ``DBOS``: steps that are transactions of the application."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

from dboshub.workflows.api.functions import ClassProperty
from dboshub.workflows.datasources.session_context import sql_session
from dboshub.workflows.datasources.sqlalchemy_support import LEVELS, IsolationLevel
from dboshub.workflows.engine.context import FRAME
from dboshub.workflows.engine.current_engine import engine, is_launched
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.ports import Application, TransactionOptions
from dboshub.workflows.engine.programs import run
from dboshub.workflows.engine.registration.decorated import check_function, with_parentheses

F = TypeVar("F", bound=Callable[..., Any])


class TransactionsAPI:
    """Transactions as steps: their effects and their checkpoint commit together."""

    sql_session = ClassProperty(sql_session)

    @staticmethod
    @with_parentheses("@DBOS.transaction()")
    def transaction(
        isolation_level: IsolationLevel | None = None, *, name: str | None = None
    ) -> Callable[[F], F]:
        """Run a function as one transaction on the application database, as a step.

        The application database is ``application_database_url``; else, in a Django project on
        the system database, Django's connection; else the system database. What the function
        does through Django's ORM there, or through ``DBOS.sql_session``, commits together with
        its checkpoint or not at all. Outside a workflow nothing is recorded. `isolation_level` is
        by default that of Django's connection, and SERIALIZABLE elsewhere. Raises DBOSException
        for a coroutine function.
        """

        def decorate(function: F) -> F:
            recorded_as = check_function("transaction", function, name)
            if inspect.iscoroutinefunction(function):
                raise DBOSException(
                    f"{function.__qualname__} is async, and a transaction cannot be: make it a "
                    "plain function, and await it by asyncio.to_thread"
                )
            if isolation_level is not None and isolation_level not in LEVELS:
                raise DBOSException(
                    f"{isolation_level!r} is not an isolation level: {', '.join(LEVELS)}"
                )
            options = TransactionOptions(recorded_as, isolation_level)

            @functools.wraps(function)
            def begin(*args: Any, **kwargs: Any) -> Any:
                current = FRAME.get()
                if current is None or current.step is not None:
                    call = functools.partial(function, *args, **kwargs)
                    return _application().run_without_step(isolation_level, call)
                return run(_application().step(options, function, args, kwargs))

            return cast(F, begin)

        return decorate


def _application() -> Application:
    found = engine().application if is_launched() else _before_launch()
    if found is None:
        raise DBOSException(
            "@DBOS.transaction needs an application database: call DBOS.launch() first"
        )
    return found


def _before_launch() -> Application | None:
    """Django's connection, which needs no launch; None without a Django project."""
    from django.conf import settings

    from dboshub.workflows.connection import system_alias
    from dboshub.workflows.django_transaction import DjangoTransactor

    return DjangoTransactor(system_alias()) if settings.configured else None
