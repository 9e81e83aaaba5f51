"""Small programs that must do the same with ``dbos`` and with ``dboshub``.

The environment says whose library runs them. Each returns a value that JSON can hold.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

LIBRARY = os.environ.get("BEHAVIOUR_LIBRARY", "dboshub")
library: Any = import_module(LIBRARY)
# Of one library a module, of the other an attribute.
error: Any = getattr(library, "error", None) or import_module(f"{LIBRARY}.error")
DBOS: Any = library.DBOS
QUEUE = "behaviour"

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Case:
    """A program, what it returns, and whether DBOS is launched before it."""

    run: Callable[..., Any]
    expected: Any
    is_launched: bool


CASES: dict[str, Case] = {}


def behaviour(expected: Any, *, launched: bool = True) -> Callable[[F], F]:
    """Register a case; one that is not `launched` is given the configuration to launch with."""

    def register(function: F) -> F:
        CASES[function.__name__] = Case(function, expected, launched)
        return function

    return register


def launch(config: dict[str, Any]) -> None:
    """Launch with a queue that workers poll quickly."""
    DBOS(config=config)
    DBOS.launch()


def value_of(case: Case, config: dict[str, Any]) -> Any:
    """Run a case to its end; awaits it if it is a coroutine function."""
    given = () if case.is_launched else (config,)
    value = case.run(*given)
    return asyncio.run(value) if inspect.iscoroutine(value) else value


def raised(call: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """The name of the error class that a call raises, or "nothing"."""
    try:
        call(*args, **kwargs)
    except BaseException as found:
        return type(found).__name__
    return "nothing"
