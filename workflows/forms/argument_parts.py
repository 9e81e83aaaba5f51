"""Arguments as fields and groups of fields, by the JSON Schema that executors publish."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from django import forms
from django.utils.text import capfirst

from dboshub.workflows.forms.argument_fields import (
    ChosenField,
    LinesField,
    NumberField,
    TextField,
    WholeNumberField,
)
from dboshub.workflows.forms.json_fields import OMITTED, JsonField

Kind = TypeVar("Kind", list[Any], dict[str, Any])

# What a published schema may hold in excess of these is left out.
MAX_FIELDS, MAX_OPTIONS, MAX_WORDS, MAX_DEPTH = 100, 200, 300, 5
IN_LINES = ("string", "integer", "number")
SCALARS = (*IN_LINES, "boolean")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A value as one field, or an object as a group with a part for each of its keys."""

    key: str  # the name of its field
    label: str
    help_text: str
    is_required: bool
    is_nullable: bool = False  # an empty field is null
    is_list: bool = False  # its parts are the members of a list
    field: forms.Field | None = None
    parts: tuple[Part, ...] = ()

    def fields(self) -> Iterator[tuple[str, forms.Field]]:
        """All fields by name."""
        if self.field is not None:
            yield self.key, self.field
        for each in self.parts:
            yield from each.fields()

    def value(self, cleaned: Mapping[str, Any]) -> Any:
        """The value of cleaned fields; OMITTED if none of them holds anything."""
        if self.field is not None:
            found = cleaned.get(self.key, OMITTED)
            return None if found is OMITTED and self.is_nullable and self.is_required else found
        if self.is_list:
            return [None if (v := each.value(cleaned)) is OMITTED else v for each in self.parts]
        members = {each.label: each.value(cleaned) for each in self.parts}
        given = {name: each for name, each in members.items() if each is not OMITTED}
        return given if given or self.is_required else OMITTED

    def initial(self, value: Any) -> Iterator[tuple[str, Any]]:
        """The initial values of its fields, from a value."""
        if self.field is not None:
            # Text is JSON in a field for JSON alone, and null is not an empty one.
            is_json = isinstance(self.field, JsonField)
            yield self.key, json.dumps(value, ensure_ascii=False) if is_json else value
        elif self.is_list:
            for each, member in zip(self.parts, value, strict=False):
                yield from each.initial(member)
        elif isinstance(value, dict):
            for each in self.parts:
                if each.label in value:
                    yield from each.initial(value[each.label])

    def key_at(self, place: tuple[str | int, ...]) -> str:
        """The name of the field that holds a place of the value, or of one beside it."""
        if self.field is not None or not self.parts:
            return self.key
        inner = self._part_at(place)
        return self.parts[0].key_at(()) if inner is None else inner.key_at(place[1:])

    def depth_at(self, place: tuple[str | int, ...]) -> int:
        """How many names of a place its fields show; the rest lies within one field."""
        inner = self._part_at(place)
        return 0 if inner is None else 1 + inner.depth_at(place[1:])

    def _part_at(self, place: tuple[str | int, ...]) -> Part | None:
        """The part that the first name of a place, or its index, leads to."""
        if not place:
            return None
        label = str(place[0] + 1) if isinstance(place[0], int) else place[0]
        return next((each for each in self.parts if each.label == label), None)


def part(
    key: str, label: str, schema: Any, *, is_required: bool, is_free: bool = False, depth: int = 0
) -> Part:
    """The part of a value. Within an optional group every field may be empty: it `is_free`."""
    schema, is_nullable = _without_null(_as(dict, schema))
    given: dict[str, Any] = {
        "key": key,
        "label": label,
        "help_text": _help(schema, is_required=is_required, is_nullable=is_nullable),
        "is_required": is_required,
    }
    members = _members(schema)
    if members and depth < MAX_DEPTH and not schema.get("additionalProperties"):
        required = _as(list, schema.get("required"))
        parts = (
            part(
                f"{key}/{_escaped(name)}", name, each, is_required=name in required,
                is_free=is_free or not is_required, depth=depth + 1,
            )
            for name, each in members.items()
        )  # fmt: skip
        return Part(**given, parts=tuple(parts))
    listed = _listed(schema)
    if listed and depth < MAX_DEPTH:
        parts = (
            part(f"{key}/{at}", str(at), each, is_required=True, is_free=is_free, depth=depth + 1)
            for at, each in enumerate(listed, 1)
        )
        return Part(**given | {"is_required": True}, is_list=True, parts=tuple(parts))
    may_be_empty = is_free or is_nullable or not is_required
    field = _field(schema, may_be_empty=may_be_empty, is_nullable=is_nullable)
    field.label, field.help_text = label, given["help_text"]
    return Part(**given, is_nullable=is_nullable, field=field)


def _members(schema: Mapping[str, Any]) -> dict[str, Any]:
    if schema.get("type") != "object" or "x-json" in schema:
        return {}
    return dict([*_as(dict, schema.get("properties")).items()][:MAX_FIELDS])


def _listed(schema: Mapping[str, Any]) -> list[Any]:
    """The members of a list of which a value has so many: see ``value_shape``."""
    if schema.get("type") != "array" or "x-json" in schema:
        return []
    return _as(list, schema.get("prefixItems"))[:MAX_FIELDS]


def _field(schema: Mapping[str, Any], *, may_be_empty: bool, is_nullable: bool) -> forms.Field:
    kind, is_required = schema.get("type"), not may_be_empty
    options = [True, False] if kind == "boolean" else schema.get("enum")
    if "x-json" not in schema:
        if isinstance(options, list):
            empty = "null" if is_nullable else "the default"
            return ChosenField(options[:MAX_OPTIONS], required=is_required, empty=empty)
        if kind == "string":
            return TextField(may_be_omitted=may_be_empty)
        if kind == "integer":
            return WholeNumberField(required=is_required)
        if kind == "number":
            return NumberField(required=is_required)
        of = _as(dict, schema.get("items")).get("type")
        if kind == "array" and of in IN_LINES:
            return LinesField(of, may_be_omitted=may_be_empty)
    expected = {"object": dict, "array": list}.get(str(kind))
    return JsonField(expected, required=is_required)


def _without_null(schema: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The schema of a scalar that may be null, without the null."""
    choices = [each for each in _as(list, schema.get("anyOf")) if isinstance(each, dict)]
    others = [each for each in choices if each.get("type") != "null"]
    if len(others) == 1 and len(choices) == 2 and others[0].get("type") in SCALARS:
        return {**schema, **others[0], "anyOf": None}, True
    return schema, False


def _help(schema: Mapping[str, Any], *, is_required: bool, is_nullable: bool) -> str:
    told = [_type_name(schema)]
    if not is_required and schema.keys() & {"default", "x-default"}:
        default = schema.get("x-default", json.dumps(schema.get("default"), ensure_ascii=False))
        told.append(f"empty: {default}")
    elif not is_required:
        told.append("may be empty")
    elif is_nullable:
        told.append("empty: null")
    words = ", ".join(each for each in told if each)[:MAX_WORDS]
    return f"{capfirst(words)}." if words else ""


def _type_name(schema: Mapping[str, Any]) -> str:
    if schema.get("anyOf"):
        choices = [each for each in _as(list, schema["anyOf"]) if isinstance(each, Mapping)]
        return " or ".join(filter(None, map(_type_name, choices[:MAX_OPTIONS])))
    if "x-json" in schema:
        return "as JSON"
    if "title" in schema:
        return str(schema["title"]) if _members(schema) else f"{schema['title']}, as JSON"
    if _members(schema):
        return ""
    if _listed(schema):
        return "a list; as JSON it can be given another length"
    named = {"string": "text", "integer": "whole number", "object": "JSON object"}
    named |= {"array": "JSON array", "boolean": "true or false", "null": "null"}
    of = _as(dict, schema.get("items")).get("type")
    if schema.get("type") == "array" and of in IN_LINES:
        return f"one {named.get(of, of)} a line, or a JSON array"
    if "enum" in schema:
        return "one of these"
    return named.get(str(schema.get("type")), str(schema.get("type", "any JSON value")))


def _escaped(name: str) -> str:
    """A key as one part of a field's name, as in a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _as(kind: type[Kind], value: Any) -> Kind:
    return value if isinstance(value, kind) else kind()
