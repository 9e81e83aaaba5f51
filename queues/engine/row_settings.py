"""The properties of ``Queue``: each is read from the queue's row and written to it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Generic, Never, Protocol, Self, TypeVar, cast, overload

from dboshub.queues.engine.queue_registry import queue_registry
from dboshub.queues.engine.settings import RateLimit
from dboshub.workflows.engine.current_engine import ClientContext, engine, using_client
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.programs import Program, run, run_async

V = TypeVar("V")
V_contra = TypeVar("V_contra", contravariant=True)
V_co = TypeVar("V_co", covariant=True)


class Named(Protocol):
    """A queue, and the client that returned it, if one did."""

    name: str
    _client_context: ClientContext | None


class Setting(Generic[V]):
    """A property read from the row or, before launch, from the declaration."""

    def __init__(self, name: str, field: str | None = None) -> None:
        self._name = name
        self._field = field or name

    @overload
    def __get__(self, queue: None, owner: type) -> Self: ...
    @overload
    def __get__(self, queue: Named, owner: type | None = None) -> V: ...
    def __get__(self, queue: Named | None, owner: type | None = None) -> Self | V:
        if queue is None:
            return self
        with using_client(queue._client_context):
            value: V = _read(queue.name, self._field)
        return value

    def __set__(self, queue: Named, value: Never) -> None:
        raise AttributeError(f"{self._name} cannot be assigned: call set_{self._name}(…)")

    def reader_async(self) -> AsyncGetterMethod[V]:
        """The method ``get_<name>_async``."""
        field = self._field

        async def gets(self: Named) -> Any:
            with using_client(self._client_context):
                return await run_async(_reading(self.name, field))

        return cast("AsyncGetterMethod[V]", _method(gets, f"get_{self._name}_async"))

    def writer(self) -> SetterMethod[V]:
        """The method ``set_<name>``."""
        writing = self._writing()

        def sets(self: Named, value: Any) -> None:
            with using_client(self._client_context):
                run(writing(self.name, value))

        return cast("SetterMethod[V]", _method(sets, writing.__name__))

    def writer_async(self) -> AsyncSetterMethod[V]:
        """The method ``set_<name>_async``."""
        writing = self._writing()

        async def sets(self: Named, value: Any) -> None:
            with using_client(self._client_context):
                await run_async(writing(self.name, value))

        return cast("AsyncSetterMethod[V]", _method(sets, f"{writing.__name__}_async"))

    def _writing(self) -> Callable[[str, Any], Program[None]]:
        field = self._field

        def writing(name: str, value: Any) -> Program[None]:
            yield engine().change(lambda: _write(name, field, value))

        writing.__name__ = f"set_{self._name}"
        return writing


class _Getter(Protocol[V_co]):
    def __call__(self) -> Coroutine[Any, Any, V_co]: ...


class _Setter(Protocol[V_contra]):
    def __call__(self, value: V_contra) -> None: ...


class _SetterAsync(Protocol[V_contra]):
    def __call__(self, value: V_contra) -> Coroutine[Any, Any, None]: ...


class AsyncGetterMethod(Protocol[V_co]):
    """The type of ``get_<name>_async``."""

    def __get__(self, queue: object, owner: type | None = None) -> _Getter[V_co]: ...


class SetterMethod(Protocol[V_contra]):
    """The type of ``set_<name>``."""

    def __get__(self, queue: object, owner: type | None = None) -> _Setter[V_contra]: ...


class AsyncSetterMethod(Protocol[V_contra]):
    """The type of ``set_<name>_async``."""

    def __get__(self, queue: object, owner: type | None = None) -> _SetterAsync[V_contra]: ...


def _method(function: Callable[..., Any], name: str) -> object:
    function.__name__, function.__qualname__ = name, f"Queue.{name}"
    return function


def _reading(name: str, field: str) -> Program[Any]:
    return (yield engine().query(lambda: _read(name, field)))


def _read(name: str, field: str) -> Any:
    settings = queue_registry.settings_of(name)
    if settings is None:
        raise DBOSException(f"Queue {name} not found in the database")
    value = getattr(settings, field)
    return value.public() if isinstance(value, RateLimit) else value


def _write(name: str, field: str, value: Any) -> None:
    table = queue_registry.table
    settings = table.retrieve(name)
    if settings is not None:
        if field.endswith("limiter"):
            value = RateLimit.of(value, field)
        if table.update(replace(settings, **{field: value}).validate(is_change=True)):
            return
    raise DBOSException(f"Queue {name} not found in the database")
