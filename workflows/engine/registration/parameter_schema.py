"""JSON Schema of the parameters of workflows, as executors publish it.

The schema describes annotations that plain JSON can express. For any other annotation it gives
the name and accepts every value.
"""

from __future__ import annotations

import inspect
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal
from weakref import WeakKeyDictionary

from dboshub.workflows.engine.registration.registry import Registry
from dboshub.workflows.engine.registration.workflow import Binding, Workflow
from dboshub.workflows.engine.serialization import WorkflowSerializationFormat

_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    dict: {"type": "object"},
    list: {"type": "array"},
    Any: {},
    object: {},
    inspect.Parameter.empty: {},
}
_MAX_DOC_LENGTH = 200
_MAX_DEFAULT_LENGTH = 1_000
_MAX_DEPTH = 4
_RECEIVERS = ("self", "cls")
# What is known of a function stays as long as its registration does.
_described: WeakKeyDictionary[Workflow, dict[str, Any]] = WeakKeyDictionary()


class FunctionPublisher:
    """The workflows of a registry as JSON; computed again only after a registration."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._of: tuple[list[str], int] = ([], 0)
        self._text = "{}"

    def __call__(self) -> str:
        known = self._registry.workflows
        names = sorted(known)
        of = (names, len(self._registry.receivers.instances))
        if of != self._of:
            found = {name: _published(self._registry, known[name]) for name in names}
            self._of, self._text = of, json.dumps(found)
        return self._text


def parameters_schema(function: Any) -> dict[str, Any]:
    """JSON Schema of the keyword arguments of a function.

    ``x-positional`` lists the positional-only parameters; ``x-more`` names a ``*args`` parameter.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return {"type": "object"}
    hints = _hints(function)
    properties: dict[str, dict[str, Any]] = {}
    found: dict[str, Any] = {"type": "object", "properties": properties}
    required: list[str] = []
    positional: list[str] = []
    for at, (name, parameter) in enumerate(signature.parameters.items()):
        if at == 0 and name in _RECEIVERS:
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            found["x-more"] = name
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        properties[name] = _schema(hints.get(name, parameter.empty))
        if parameter.default is parameter.empty:
            required.append(name)
        else:
            properties[name] |= _default(parameter.default)
        if parameter.kind is parameter.POSITIONAL_ONLY:
            positional.append(name)
    kinds = {parameter.kind for parameter in signature.parameters.values()}
    found["additionalProperties"] = inspect.Parameter.VAR_KEYWORD in kinds
    return found | {"required": required} | ({"x-positional": positional} if positional else {})


def _published(registry: Registry, workflow: Workflow) -> dict[str, Any]:
    found = dict(_description(workflow))
    if workflow.serialization is WorkflowSerializationFormat.PORTABLE:
        found["is_portable"] = True
    if workflow.class_name is not None:
        found["class"] = workflow.class_name
    if workflow.binding is Binding.INSTANCE:
        found["instances"] = sorted(
            config for name, config in registry.receivers.instances if name == workflow.class_name
        )
    return found


def _description(workflow: Workflow) -> dict[str, Any]:
    """What the function itself says.

    Annotations that cannot be read may name what their module defines later: they are read again.
    """
    found = _described.get(workflow)
    if found is None:
        function = workflow.function
        found = {"parameters": parameters_schema(function)}
        doc = (inspect.getdoc(function) or "").split("\n", 1)[0]
        if doc:
            found["doc"] = doc[:_MAX_DOC_LENGTH]
        if _hints(function) or not getattr(function, "__annotations__", None):
            _described[workflow] = found
    return found


def _hints(function: Any, *, include_extras: bool = False) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=include_extras)
    except Exception:
        # An annotation may name something that is imported for type checkers only.
        return {}


def _schema(hint: Any, depth: int = 0) -> dict[str, Any]:
    try:
        known = _PLAIN.get(hint)
    except TypeError:  # an unhashable annotation
        known = None
    if known is not None:
        return dict(known)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Annotated, typing.Required, typing.NotRequired):
        return _schema(inner[0], depth)
    if origin is Literal and all(isinstance(each, str | int | bool | None) for each in inner):
        return {"enum": [*inner]}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_schema(each, depth) for each in inner]}
    if origin is list:
        return {"type": "array", "items": _schema(inner[0], depth)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(inner[1], depth)}
    if typing.is_typeddict(hint):
        return {"type": "object", "title": hint.__name__, **_members(hint, depth + 1)}
    return {"title": getattr(hint, "__name__", None) or str(hint)}


def _members(hint: Any, depth: int) -> dict[str, Any]:
    """The keys of a TypedDict, down to a few levels, because it may contain itself."""
    if depth > _MAX_DEPTH:
        return {}
    hints = _hints(hint, include_extras=True)
    marks = {name: typing.get_origin(each) for name, each in hints.items()}
    return {
        "properties": {name: _schema(each, depth) for name, each in hints.items()},
        "required": [
            name
            for name, mark in marks.items()
            # A mark in a postponed annotation is not in `__required_keys__`.
            if mark is typing.Required
            or (mark is not typing.NotRequired and name in hint.__required_keys__)
        ],
    }


def _default(value: Any) -> dict[str, Any]:
    """The default as JSON; if it has no JSON form, ``x-default`` holds its repr."""
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return {"x-default": repr(value)[:_MAX_DEFAULT_LENGTH]}
    if len(text) > _MAX_DEFAULT_LENGTH or json.loads(text) != value:
        return {"x-default": text[:_MAX_DEFAULT_LENGTH]}
    return {"default": value}
