"""The shape of a plain value as a schema: fields for what no executor describes.

The shape of a form's first values travels with the form, so that what is posted is read alike.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dboshub.workflows.engine.stored_json import UnreadableJsonError, stored_json
from dboshub.workflows.forms.json_fields import OMITTED

MAX_KEYS, MAX_ITEMS, MAX_DEPTH = 40, 200, 4
MAX_MEMBERS = 20  # of a list of objects, each with fields of its own
MAX_SHAPE = 200_000  # characters
AS_JSON = {"x-json": True}  # one JSON text, whatever is published
SCALARS: Mapping[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}


def shape_of(value: Any, published: Any, *, is_required: bool) -> dict[str, Any]:
    """How to show a value: empty as it is published, else in fields of its own or as JSON."""
    if not isinstance(published, Mapping) or not published.keys() & {"type", "enum", "anyOf"}:
        return inferred(value) if isinstance(value, dict) else {}
    if published.get("type") == "object" and not published.get("properties"):
        return inferred(value) if isinstance(value, dict) else {}
    if not _fits(value, published, is_required):
        return AS_JSON
    shaped = with_members(published, value)
    return {} if shaped == published else shaped


def with_members(schema: Any, value: Any) -> Any:
    """The schema, which also names each member of the lists of objects that the value has."""
    if not isinstance(schema, Mapping):
        return schema
    properties = schema.get("properties")
    if isinstance(value, dict) and isinstance(properties, Mapping):
        inner = {name: with_members(each, value.get(name)) for name, each in properties.items()}
        return {**schema, "properties": inner}
    if isinstance(value, list) and _has_members(value, schema):
        items = schema["items"]
        return {**schema, "prefixItems": [with_members(items, each) for each in value]}
    return schema


def inferred(value: Any, depth: int = 0) -> dict[str, Any]:
    """A schema of a value's parts; empty for what only JSON can show."""
    if isinstance(value, dict):
        if not value or len(value) > MAX_KEYS or depth > MAX_DEPTH:
            return {}
        parts = {name: inferred(each, depth + 1) for name, each in value.items()}
        return {"type": "object", "properties": parts, "required": [*parts]}
    if isinstance(value, list):
        kinds = {type(each) for each in value}
        if kinds == {dict} and len(value) <= MAX_MEMBERS:
            members = [inferred(each, depth + 1) for each in value]
            return {"type": "array", "prefixItems": members} if all(members) else {}
        if len(kinds) == 1 and len(value) <= MAX_ITEMS and is_in_lines(value):
            (kind,) = kinds
            return {"type": "array", "items": {"type": SCALARS[kind]}} if kind in SCALARS else {}
        return {}
    if isinstance(value, str) and not is_in_line(value):
        return {}
    kind_name = SCALARS.get(type(value))
    return {"type": kind_name} if kind_name else {}


def is_in_line(text: str) -> bool:
    """Whether an input field keeps a text as it is."""
    return not {"\n", "\r"} & {*text}


def is_in_lines(values: list[Any]) -> bool:
    """Whether one value a line shows a list: no text is empty, has lines or looks like JSON."""
    texts = [each for each in values if isinstance(each, str)]
    return all(each and is_in_line(each) and not each.startswith("[") for each in texts)


def _fits(value: Any, schema: Any, is_required: bool) -> bool:
    """Whether fields of the published shape show all of a value, and give it back."""
    if not isinstance(schema, Mapping):
        return True
    if value is None or value == "":  # what an empty field gives back
        return is_required or value == schema.get("default", OMITTED)
    if isinstance(value, str):
        return is_in_line(value)
    properties, required = schema.get("properties"), schema.get("required")
    if isinstance(value, dict) and isinstance(properties, Mapping) and isinstance(required, list):
        return value.keys() <= properties.keys() and all(
            _fits(each, properties[name], name in required) for name, each in value.items()
        )
    if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        if _has_members(value, schema):
            return all(_fits(each, schema["items"], is_required=True) for each in value)
        return is_in_lines(value)
    return True


def _has_members(value: list[Any], schema: Mapping[str, Any]) -> bool:
    """Whether each member of a list has fields of its own."""
    items = schema.get("items")
    has_fields = isinstance(items, Mapping) and bool(items.get("properties"))
    return has_fields and 0 < len(value) <= MAX_MEMBERS and all(isinstance(v, dict) for v in value)


def written(shapes: Mapping[str, dict[str, Any]]) -> str:
    """Shapes as the text of a hidden field; without those that are empty."""
    return json.dumps({name: each for name, each in shapes.items() if each})


def posted(text: str) -> dict[str, Any]:
    """The shapes of a hidden field; none for a text that is no such field."""
    if len(text) > MAX_SHAPE:
        return {}
    try:
        found = stored_json(text or "{}")
    except UnreadableJsonError:
        return {}
    return found if isinstance(found, dict) else {}
