"""The item of a bulk call: a workflow to start, with its arguments and its own options."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar, Unpack, overload

from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.options import StartOptions
from dboshub.workflows.engine.registration.registry import Target
from dboshub.workflows.engine.runtime.call_options import (
    CallOptions,
    identity_of,
    named_function,
    refuse_unknown,
    start_options,
)
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.start_request import FunctionReference, StartParameters

P = ParamSpec("P")
R = TypeVar("R")

OF_NAMES = ("class_name", "instance_name", "serialization_type")


class WorkflowCall(Generic[R]):
    """A workflow for ``enqueue_workflows`` and ``start_workflows``: a function and its arguments.

    Instead of the function its name may be given. ``options`` adds options of this call alone::

        WorkflowCall(bill, customer).options(deduplication_id=customer)
    """

    __slots__ = ("args", "func", "given", "kwargs")

    @overload
    def __init__(
        self, func: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> None: ...
    @overload
    def __init__(self, func: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> None: ...
    @overload
    def __init__(self: WorkflowCall[Any], func: str, /, *args: Any, **kwargs: Any) -> None: ...
    def __init__(self, func: Callable[..., Any] | str, /, *args: Any, **kwargs: Any) -> None:
        self.func = func
        self.args = args
        self.kwargs = kwargs
        self.given: CallOptions = {}

    def options(self, **options: Unpack[CallOptions]) -> WorkflowCall[R]:
        """This call with options, which come before those of the blocks around the bulk call.

        Raises DBOSException for an unknown option. Values are checked when the call is used.
        """
        refuse_unknown(options, CallOptions)
        changed: WorkflowCall[R] = WorkflowCall.__new__(WorkflowCall)
        changed.func, changed.args, changed.kwargs = self.func, self.args, self.kwargs
        changed.given = {**self.given, **options}
        return changed

    def __repr__(self) -> str:
        name = self.func if isinstance(self.func, str) else self.func.__qualname__
        given = "".join(f", {key}={value!r:.40}" for key, value in self.given.items())
        return f"WorkflowCall({name}, …{given})"


class Resolved(NamedTuple):
    """A call whose function is looked up; `target` is None for a function that is named."""

    parameters: StartParameters
    target: Target | None
    args: tuple[Any, ...]


class CallResolver:
    """Looks up the functions of calls, and checks their options.

    `ambient` has the options that a call does not name.
    """

    def __init__(self, engine: Engine, ambient: StartOptions) -> None:
        self._engine = engine
        self._ambient = ambient
        # Of calls without options of their own, by function, queue and kind of the first argument,
        # which may be the receiver of a method.
        self._known: dict[object, tuple[StartParameters, Target | None]] = {}

    def resolve(self, call: WorkflowCall[Any], queue_name: str | None) -> Resolved:
        """Raises DBOSException for a function or for options that cannot be."""
        if call.given:
            return self._resolve(call, queue_name)
        first = call.args[0] if call.args else None
        key = (call.func, queue_name, type(first))
        known = self._known.get(key)
        if known is not None:
            return Resolved(*known, call.args)
        found = self._resolve(call, queue_name)
        if found.args is call.args and not isinstance(first, type):
            self._known[key] = found[:2]
        return found

    def _resolve(self, call: WorkflowCall[Any], queue_name: str | None) -> Resolved:
        given, target, args = call.given, None, call.args
        if isinstance(call.func, str):
            function = named_function(call.func, given)
        else:
            _refuse_options_of_names(given)
            target, args = self._engine.registry.target_of_call(call.func, args)
            function = FunctionReference.of(target)
        if not given:
            return Resolved(StartParameters(function, queue_name, self._ambient), target, args)
        options, identity = start_options(given, self._ambient), identity_of(given)
        return Resolved(StartParameters(function, queue_name, options, identity), target, args)


def _refuse_options_of_names(given: CallOptions) -> None:
    named = [name for name in OF_NAMES if name in given]
    if named:
        raise DBOSException(
            f"{', '.join(named)}: these options are for a workflow that is given by its name; "
            "of a function they are known"
        )
