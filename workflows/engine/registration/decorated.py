"""Checks of what decorators are given: a function that can never run is refused at decoration."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast

logger = logging.getLogger("dboshub")

D = TypeVar("D", bound=Callable[..., Any])


def with_parentheses(example: str) -> Callable[[D], D]:
    """Make a decorator with options raise TypeError where it is written without parentheses.

    Its calls also raise TypeError for a positional argument if all options are keyword-only. It
    may be written above ``@staticmethod`` and ``@classmethod`` as well as below them.
    """

    def decorate(decorator: D) -> D:
        parameters = [*inspect.signature(decorator).parameters.values()]
        by_name = all(each.kind is each.KEYWORD_ONLY for each in parameters)

        @functools.wraps(decorator)
        def call(*args: Any, **kwargs: Any) -> Any:
            if len(args) == 1 and not kwargs and callable(args[0]):
                raise TypeError(f"{_name(args[0])}: write {example}, with the parentheses")
            if args and by_name:
                raise TypeError(
                    f"{example.partition('(')[0]} takes its options by name, such as "
                    f"name={args[0]!r:.100}"
                )
            return within_methods(decorator(*args, **kwargs))

        return cast(D, call)

    return decorate


def within_methods(decorate: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Decorate the function in a static or class method, so that the order makes no difference."""

    def decorated(given: Any) -> Any:
        if isinstance(given, staticmethod | classmethod):
            return type(given)(decorate(given.__func__))
        return decorate(given)

    return decorated


def check_function(kind: str, function: Any, name: str | None) -> str:
    """The name under which a function is registered as a `kind`, such as "workflow".

    Raises TypeError for a class, a generator function, an object that is not callable, and an
    object without a name if none is given.
    """
    what = _name(function)
    if isinstance(function, type):
        raise TypeError(
            f"{what} is a class, which cannot be a {kind}: decorate its methods, and the class "
            "with @DBOS.dbos_class()"
        )
    if not callable(function):
        raise TypeError(f"{function!r:.100} cannot be a {kind}: it is no function")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"{what} is a generator, which cannot be a {kind}: its values could not be recorded. "
            "Return a list, or publish values with DBOS.write_stream()"
        )
    own = getattr(function, "__qualname__", None)
    if name is None and own is None:
        raise TypeError(f"{what} has no name to record the {kind} under: give name=…")
    if kind == "workflow" and name is None and str(own).endswith("<lambda>"):
        logger.warning(
            "a lambda is registered as the workflow %r: give name=…, by which recovery finds it",
            own,
        )
    return str(name or own)


def _name(given: Any) -> str:
    name = getattr(given, "__qualname__", None)
    return f"{given.__module__}.{name}" if name else repr(given)[:100]
