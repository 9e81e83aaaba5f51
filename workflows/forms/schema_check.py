"""Whether a plain value fits a published JSON Schema, and what does not, by its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

MAX_PROBLEMS = 3
MAX_DEPTH = 20
# Python type by JSON Schema type; a bool is no number there.
TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "object": (dict,),
    "array": (list,),
}
NAMES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "object": "an object: {…}",
    "array": "an array: […]",
}

Place = tuple[str | int, ...]
Problem = tuple[Place, str]


def problems(value: Any, schema: Any) -> list[Problem]:
    """The first few places of a value that do not fit, with what is wanted there.

    Parts of a schema that mean nothing here allow everything: any program may have written it.
    """
    return list(islice(_problems(value, schema, (), MAX_DEPTH), MAX_PROBLEMS))


def _problems(value: Any, schema: Any, place: Place, depth: int) -> Iterator[Problem]:
    if not isinstance(schema, Mapping) or depth == 0:
        return
    wanted = wanted_by(schema)
    if not _has_type(value, schema):
        yield place, f"This must be {wanted}."
        return
    options = schema.get("enum")
    if isinstance(options, list) and not any(_is_equal(value, each) for each in options):
        yield place, f"This must be one of {', '.join(map(repr, options[:10]))}."
    choices = schema.get("anyOf")
    if isinstance(choices, list) and all(
        any(_problems(value, each, place, depth - 1)) for each in choices
    ):
        yield place, f"This must be {wanted}."
    if isinstance(value, list):
        for at, each in enumerate(value):
            yield from _problems(each, schema.get("items"), (*place, at), depth - 1)
    if isinstance(value, dict):
        yield from _members(value, schema, place, depth - 1)


def _members(
    value: dict[str, Any], schema: Mapping[str, Any], place: Place, depth: int
) -> Iterator[Problem]:
    properties, required = schema.get("properties"), schema.get("required")
    known = properties if isinstance(properties, Mapping) else {}
    for name in required if isinstance(required, list) else ():
        if name not in value:
            yield (*place, str(name)), "This is required."
    for name, each in value.items():
        part = known.get(name, schema.get("additionalProperties"))
        yield from _problems(each, part, (*place, name), depth)


def wanted_by(schema: Mapping[str, Any]) -> str:
    """What a schema wants, in words."""
    choices = schema.get("anyOf")
    if isinstance(choices, list):
        return " or ".join(wanted_by(each) for each in choices[:10] if isinstance(each, Mapping))
    return NAMES.get(str(schema.get("type")), "another value")


def _has_type(value: Any, schema: Mapping[str, Any]) -> bool:
    known = TYPES.get(str(schema.get("type")))
    if known is None:
        return True
    return isinstance(value, known) and (bool in known or not isinstance(value, bool))


def _is_equal(value: Any, option: Any) -> bool:
    return type(value) is type(option) and bool(value == option)


def told(place: Place, problem: str) -> str:
    """A problem with its place within a value."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    name = "".join(parts).lstrip(".")
    return f"{name}: {problem}" if name else problem
