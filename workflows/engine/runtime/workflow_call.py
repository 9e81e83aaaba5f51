"""The item of a bulk call: a workflow to start, with its arguments and its own options."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, overload

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


@dataclass(frozen=True, slots=True)
class ResolvedCall:
    """A call with its function looked up; `target` is None for a function that is named."""

    parameters: StartParameters
    target: Target | None
    args: tuple[Any, ...]


def resolve(
    engine: Engine, call: WorkflowCall[Any], queue_name: str | None, ambient: StartOptions
) -> ResolvedCall:
    """Look up the function of a call, and check its options.

    `ambient` has the options that the call does not name. Raises DBOSException for a function
    that is not registered, and for options that cannot be.
    """
    given, target, args = call.given, None, call.args
    if isinstance(call.func, str):
        function = named_function(call.func, given)
    else:
        _refuse_options_of_names(given)
        target, args = engine.registry.target_of_call(call.func, args)
        function = FunctionReference.of(target)
    if not given:
        return ResolvedCall(StartParameters(function, queue_name, ambient), target, args)
    options, identity = start_options(given, ambient), identity_of(given)
    return ResolvedCall(StartParameters(function, queue_name, options, identity), target, args)


def _refuse_options_of_names(given: CallOptions) -> None:
    named = [name for name in OF_NAMES if name in given]
    if named:
        raise DBOSException(
            f"{', '.join(named)}: these options are for a workflow that is given by its name; "
            "of a function they are known"
        )
