"""Public calls in both worlds from one definition: ``name`` blocks, ``name_async`` is awaited."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from workflows.engine.current import Outsider, within
from workflows.engine.handles import WorkflowHandle, WorkflowHandleAsync
from workflows.engine.programs import Program, awaitable, blocking
from workflows.engine.sharding import unsharded
from workflows.engine.tracing import CALLS, traced

_DURABLE = "__dboshub_durable__"


def durable(define: Callable[..., Program[Any]]) -> staticmethod[..., Any]:
    """Mark a definition in a class decorated by ``with_twins``: it returns a program."""
    setattr(define, _DURABLE, (_as_it_is, _as_it_is))
    return staticmethod(define)


def durable_handle(define: Callable[..., Program[str]]) -> staticmethod[..., Any]:
    """The same for a program that returns a workflow id, handed out as a handle."""
    setattr(define, _DURABLE, (WorkflowHandle, WorkflowHandleAsync))
    return staticmethod(define)


def durable_handles(define: Callable[..., Program[list[str]]]) -> staticmethod[..., Any]:
    """The same for a program that returns workflow ids."""
    setattr(define, _DURABLE, (_each(WorkflowHandle), _each(WorkflowHandleAsync)))
    return staticmethod(define)


def with_twins(cls: type) -> Any:
    """Replace each marked definition by its blocking form, and add the awaited one."""
    for name, attribute in [*vars(cls).items()]:
        define = getattr(attribute, "__func__", None)
        wraps = getattr(define, _DURABLE, None)
        if define is not None and wraps is not None:
            define = unsharded(traced(name, define) if name in CALLS else define)
            setattr(cls, name, staticmethod(_blocking(define, wraps[0])))
            setattr(cls, f"{name}_async", staticmethod(_awaitable(define, wraps[1])))
    return cls


def offer(client: type, source: type, *names: str) -> None:
    """Give a class of clients calls of a public class, in both forms; it has an ``_outsider``."""
    for name in names:
        setattr(client, name, _asking(getattr(source, name)))
        setattr(client, f"{name}_async", _awaiting(getattr(source, f"{name}_async")))


class _Client(Protocol):
    _outsider: Outsider


def _asking(call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def asks(self: _Client, *args: Any, **kwargs: Any) -> Any:
        with within(self._outsider):
            return call(*args, **kwargs)

    return asks


def _awaiting(call: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    @functools.wraps(call)
    async def awaits(self: _Client, *args: Any, **kwargs: Any) -> Any:
        with within(self._outsider):
            return await call(*args, **kwargs)

    return awaits


def _blocking(define: Callable[..., Program[Any]], wrap: Callable[[Any], Any]) -> Any:
    call = blocking(define)

    @functools.wraps(define)
    def blocks(*args: Any, **kwargs: Any) -> Any:
        return wrap(call(*args, **kwargs))

    return blocks


def _awaitable(define: Callable[..., Program[Any]], wrap: Callable[[Any], Any]) -> Any:
    call = awaitable(define)

    @functools.wraps(call)
    async def awaits(*args: Any, **kwargs: Any) -> Any:
        return wrap(await call(*args, **kwargs))

    return awaits


def _as_it_is(value: Any) -> Any:
    return value


def _each(wrap: Callable[[str], Any]) -> Callable[[list[str]], list[Any]]:
    return lambda ids: [wrap(each) for each in ids]
