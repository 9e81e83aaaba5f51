"""The part of the public class ``DBOS`` for steps that are transactions on Django's connection."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

from workflows.engine.context import FRAME
from workflows.engine.current import engine
from workflows.engine.errors import DBOSException
from workflows.engine.joining import transaction
from workflows.engine.programs import run

F = TypeVar("F", bound=Callable[..., Any])


class TransactionsAPI:
    """Exactly once: the effects on the database and the checkpoint commit together."""

    @staticmethod
    def transaction(*, name: str | None = None) -> Callable[[F], F]:
        """Run a function in ``transaction.atomic()`` on the system database, as a step.

        Whatever it does there through Django commits together with its checkpoint, or not at
        all. Outside a workflow it is only a transaction. Raises DBOSException for a coroutine
        function, and when called in a process whose Django project has another database.
        """

        def decorate(function: F) -> F:
            if inspect.iscoroutinefunction(function):
                raise DBOSException(
                    f"{function.__qualname__} is async, and a transaction cannot be: make it a "
                    "plain function, and await it by asyncio.to_thread"
                )
            step_name = name or function.__qualname__

            @functools.wraps(function)
            def begin(*args: Any, **kwargs: Any) -> Any:
                current = FRAME.get()
                if current is None or current.step is not None:
                    return _plainly(function, args, kwargs)
                program = transaction(
                    current.execution, _transactor(), step_name, function, args, kwargs
                )
                return run(program)

            return cast(F, begin)

        return decorate


def _transactor() -> Any:
    found = engine().transactor
    if found is None:
        raise DBOSException(
            "@DBOS.transaction needs a Django project whose database is the system database: set "
            "DBOS_SYSTEM_DATABASE_URL there, or use @DBOS.step() for another database"
        )
    return found


def _plainly(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    from django.db import transaction as django_transaction

    from workflows.connection import system_alias

    with django_transaction.atomic(using=system_alias()):
        return function(*args, **kwargs)
