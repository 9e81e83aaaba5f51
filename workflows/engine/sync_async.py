"""Public calls in both worlds from one definition: ``name`` blocks, ``name_async`` is awaited.

In the body of a class, with the parameters and results that type checkers then know::

    @durable
    def sleep(seconds: float) -> Program[None]: ...

    sleep_async = awaited(sleep)
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from dboshub.workflows.engine.current_engine import ClientContext, within
from dboshub.workflows.engine.handles import WorkflowHandle, WorkflowHandleAsync
from dboshub.workflows.engine.observability.spans import CALLS, traced
from dboshub.workflows.engine.programs import Program, awaitable, blocking
from dboshub.workflows.engine.shard_keys import accept_null_shard_key

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

Handle = WorkflowHandle[Any]
HandleAsync = WorkflowHandleAsync[Any]
# What a blocking form was made of.
_DURABLE = "__dboshub_durable__"


def durable(define: Callable[P, Program[R]]) -> staticmethod[P, R]:
    """The blocking form of a call that is defined by a program."""
    return _blocks(define, _PLAIN)


def durable_handle(define: Callable[P, Program[str]]) -> staticmethod[P, Handle]:
    """The same for a program that returns a workflow id, handed out as a handle."""
    return _blocks(define, _HANDLE)


def durable_handles(define: Callable[P, Program[list[str]]]) -> staticmethod[P, list[Handle]]:
    """The same for a program that returns workflow ids."""
    return _blocks(define, _HANDLES)


def awaited(call: staticmethod[P, R]) -> staticmethod[P, Coroutine[Any, Any, R]]:
    """The awaited form of a call that is ``durable``."""
    return _awaits(call)


def awaited_handle(
    call: staticmethod[P, Handle],
) -> staticmethod[P, Coroutine[Any, Any, HandleAsync]]:
    """The awaited form of a ``durable_handle``."""
    return _awaits(call)


def awaited_handles(
    call: staticmethod[P, list[Handle]],
) -> staticmethod[P, Coroutine[Any, Any, list[HandleAsync]]]:
    """The awaited form of ``durable_handles``."""
    return _awaits(call)


class Method(Protocol[P, R_co]):
    """A function of a class: called on an instance without its first parameter."""

    def __get__(self, instance: object, owner: type | None = None) -> Callable[P, R_co]: ...


def offered(call: Callable[P, R]) -> Method[P, R]:
    """A public call, in either form, as a method of a client: made with its ``_client_context``."""
    if inspect.iscoroutinefunction(call):

        @functools.wraps(call)
        async def awaits(self: _Client, *args: Any, **kwargs: Any) -> Any:
            with within(self._client_context):
                return await call(*args, **kwargs)

        return cast("Method[P, R]", awaits)

    @functools.wraps(call)
    def asks(self: _Client, *args: Any, **kwargs: Any) -> Any:
        with within(self._client_context):
            return call(*args, **kwargs)

    return cast("Method[P, R]", asks)


class _Client(Protocol):
    _client_context: ClientContext


@dataclass(frozen=True, slots=True)
class _Results:
    """What the two forms make of the value of a program, and how their signatures call it."""

    blocking: Callable[[Any], Any] = lambda value: value
    awaited: Callable[[Any], Any] = lambda value: value
    blocking_name: str = ""
    awaited_name: str = ""


_PLAIN = _Results()
_HANDLE = _Results(WorkflowHandle, WorkflowHandleAsync, "WorkflowHandle", "WorkflowHandleAsync")
_HANDLES = _Results(
    lambda ids: [WorkflowHandle(each) for each in ids],
    lambda ids: [WorkflowHandleAsync(each) for each in ids],
    "list[WorkflowHandle]",
    "list[WorkflowHandleAsync]",
)


def _blocks(define: Callable[P, Program[Any]], results: _Results) -> staticmethod[P, Any]:
    name = define.__name__
    program = accept_null_shard_key(traced(name, define) if name in CALLS else define)
    call = blocking(program)

    @functools.wraps(define)
    def blocks(*args: P.args, **kwargs: P.kwargs) -> Any:
        return results.blocking(call(*args, **kwargs))

    setattr(blocks, _DURABLE, (program, results))
    _sign(blocks, program, results.blocking_name)
    return staticmethod(blocks)


def _awaits(twin: staticmethod[P, Any]) -> staticmethod[P, Any]:
    program, results = getattr(twin.__func__, _DURABLE)
    call = awaitable(program)

    @functools.wraps(call)
    async def awaits(*args: P.args, **kwargs: P.kwargs) -> Any:
        return results.awaited(await call(*args, **kwargs))

    _sign(awaits, program, results.awaited_name)
    return staticmethod(awaits)


def _sign(call: Any, program: Callable[..., Program[Any]], result: str) -> None:
    """Let a call say what it returns where its definition says which program."""
    signature = inspect.signature(program)
    said = result or signature.return_annotation.removeprefix("Program[").removesuffix("]")
    call.__signature__ = signature.replace(return_annotation=said)
