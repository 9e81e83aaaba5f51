"""Validation and conversion of the arguments of workflows that were enqueued or recovered.

A direct call passes its own objects, and is not validated.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from datetime import UTC, date, datetime
from types import UnionType
from typing import Any, Union

from dboshub.workflows.engine.errors import DBOSInitializationError

Args = tuple[Any, ...]
Kwargs = dict[str, Any]
ValidateArgs = Callable[[Args, Kwargs], tuple[Args, Kwargs]]

_RECEIVERS = ("self", "cls")


def pydantic_args_validator(args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs]:
    """A marker for ``validate_args``: validate arguments by the function's annotations."""
    raise TypeError("pass pydantic_args_validator as validate_args=, it is not called directly")


def make_pydantic_args_validator(func: Callable[..., Any]) -> ValidateArgs:
    """A validator that converts each argument to the type of its annotation, by pydantic.

    Raises DBOSInitializationError without pydantic. The validator raises ValueError, which names
    each argument that is wrong, missing or unknown.
    """
    try:
        from pydantic import ConfigDict, TypeAdapter, ValidationError
    except ImportError as error:
        raise DBOSInitializationError(
            "pydantic_args_validator needs pydantic 2: pip install 'pydantic>=2'"
        ) from error
    signature, hints = _signature(func), _hints(func)
    config = ConfigDict(arbitrary_types_allowed=True)
    adapters = {name: _adapter(TypeAdapter, hint, config) for name, hint in hints.items()}

    def validate(args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs]:
        bound = _bind(func, signature, args, kwargs)
        problems = []

        def convert(name: str, value: Any) -> Any:
            try:
                return adapters[name].validate_python(value) if name in adapters else value
            except ValidationError as error:
                reasons = "; ".join(each["msg"] for each in error.errors())
                problems.append(f"{name}: {reasons}")
                return value

        _each(signature, bound, convert)
        if problems:
            raise ValueError(f"{func.__qualname__} cannot take these arguments: {problems}")
        return bound.args, bound.kwargs

    return validate


def coerced(func: Callable[..., Any], args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs]:
    """Portable arguments, with text converted to dates where the annotations are dates."""
    signature, hints = _signature(func), _hints(func)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        return args, kwargs  # the call itself raises
    _each(signature, bound, lambda name, value: _as_moment(hints.get(name), value))
    return bound.args, bound.kwargs


def _as_moment(hint: Any, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    options = typing.get_args(hint) if typing.get_origin(hint) in (Union, UnionType) else (hint,)
    if str in options:
        return value
    if datetime in options:
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return date.fromisoformat(value) if date in options else value


def _each(
    signature: inspect.Signature,
    bound: inspect.BoundArguments,
    convert: Callable[[str, Any], Any],
) -> None:
    for name, value in bound.arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            bound.arguments[name] = tuple(convert(name, each) for each in value)
        elif kind is inspect.Parameter.VAR_KEYWORD:
            bound.arguments[name] = {key: convert(name, each) for key, each in value.items()}
        else:
            bound.arguments[name] = convert(name, value)


def positional_parameters(func: Callable[..., Any]) -> list[str]:
    """The names of the parameters that positional arguments go to, ``*args`` excluded."""
    try:
        parameters = inspect.signature(func).parameters.values()
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [each.name for each in parameters if each.kind in kinds]


def _signature(func: Callable[..., Any]) -> inspect.Signature:
    """The parameters that a row holds values for: all but the receiver of a method."""
    signature = inspect.signature(func)
    parameters = [*signature.parameters.values()]
    if parameters and parameters[0].name in _RECEIVERS:
        parameters = parameters[1:]
    return signature.replace(parameters=parameters)


def _hints(func: Callable[..., Any]) -> dict[str, Any]:
    try:
        hints = typing.get_type_hints(inspect.unwrap(func))
    except (NameError, TypeError):
        return {}  # annotations that cannot be resolved convert nothing
    return {name: hint for name, hint in hints.items() if name not in ("return", *_RECEIVERS)}


def _adapter(adapter: Any, hint: Any, config: Any) -> Any:
    try:
        return adapter(hint, config=config)
    except Exception:
        return adapter(hint)  # models have a configuration of their own


def _bind(
    func: Callable[..., Any], signature: inspect.Signature, args: Args, kwargs: Kwargs
) -> inspect.BoundArguments:
    try:
        return signature.bind(*args, **kwargs)
    except TypeError:
        pass
    required = {
        name
        for name, each in signature.parameters.items()
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    }
    given = {*kwargs, *list(signature.parameters)[: len(args)]}
    missing = sorted(required - given)
    unknown = sorted({*kwargs} - {*signature.parameters})
    raise ValueError(
        f"{func.__qualname__} cannot take these arguments: "
        f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}; "
        f"{len(args)} given by position"
    )
