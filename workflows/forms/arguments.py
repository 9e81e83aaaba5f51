"""The arguments of a workflow in a form: their parts, their shape, and what does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from typing import Any

from django import forms

from dboshub.workflows.forms.argument_parts import MAX_FIELDS, Part, part
from dboshub.workflows.forms.json_fields import OMITTED, JsonField
from dboshub.workflows.forms.schema_check import problems, told
from dboshub.workflows.forms.value_shape import AS_JSON, inferred, shape_of

# Prefix of argument fields: a parameter may have the name of another field of the form.
GIVEN = "arg:"
MORE_ARGUMENTS, MORE_KEYWORDS = "*", "**"

Given = tuple[list[Any], dict[str, Any]]


class Arguments:
    """The parameters that a schema publishes, or one array and one object without a schema.

    `shapes` says how to show single parameters, by name: see ``value_shape``.
    """

    def __init__(self, schema: Mapping[str, Any], shapes: Mapping[str, Any]) -> None:
        # Any program may have written this: its parts may be of any type.
        properties, required = schema.get("properties"), schema.get("required")
        self.schema = schema
        self.properties = {
            name: each
            for name, each in [*_items(properties)][:MAX_FIELDS]
            if isinstance(each, Mapping)
        }
        self.required = required if isinstance(required, list) else []
        self.parts = {
            name: self._part(name, each, shapes.get(name)) for name, each in self.properties.items()
        }
        if not schema:
            self._add_rest(MORE_ARGUMENTS, list, "Arguments", "A JSON array.", shapes)
            self._add_rest(MORE_KEYWORDS, dict, "Keyword arguments", "A JSON object.", shapes)
        if "x-more" in schema:
            help_text = "More, as a JSON array."
            self._add_rest(MORE_ARGUMENTS, list, f"*{schema['x-more']}", help_text, shapes)
        if schema.get("additionalProperties"):
            help_text = "A JSON object."
            self._add_rest(MORE_KEYWORDS, dict, "More keyword arguments", help_text, shapes)

    def fields(self) -> dict[str, forms.Field]:
        return dict(each for found in self.parts.values() for each in found.fields())

    def given(self, cleaned: Mapping[str, Any], *, positional: int = 0) -> Given:
        """The positional and the named arguments of cleaned fields.

        So many of the first are given by position, as far as none of them is omitted.
        """
        found = {name: each.value(cleaned) for name, each in self.parts.items()}
        given = {name: value for name, value in found.items() if value is not OMITTED}
        more, rest = given.pop(MORE_ARGUMENTS, []), given.pop(MORE_KEYWORDS, {})
        leading = [*self.properties] if more else self.schema.get("x-positional", [])
        first = takewhile(given.__contains__, [*self.properties][:positional])
        leading = [*dict.fromkeys([*leading, *first])]
        args = [given.pop(name) for name in leading if name in given]
        return [*args, *more], {**given, **rest}

    def named(self, args: list[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments by name, whether they were given by position or by name."""
        found = named(self.properties, args, kwargs)
        more: list[Any] = found.pop(MORE_ARGUMENTS, [])
        rest: dict[str, Any] = found.pop(MORE_KEYWORDS, {})
        return found | {f"#{at}": each for at, each in enumerate(more, 1)} | rest

    def errors(self, cleaned: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Field names with what does not fit the published types there."""
        found = []
        for name, each in self.parts.items():
            value = each.value(cleaned)
            if value is OMITTED:
                continue
            for place, problem in problems(value, self.properties.get(name)):
                inside = place[each.depth_at(place) :]
                found.append((each.key_at(place), told(inside, problem)))
        return found

    def initial(self, args: list[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The initial values of the fields, from the arguments of a run."""
        by_name = named(self.properties, args, kwargs)
        return dict(
            each
            for name, value in by_name.items()
            if name in self.parts
            for each in self.parts[name].initial(value)
        )

    def _part(self, name: str, published: Mapping[str, Any], shape: Any) -> Part:
        is_shaped = isinstance(shape, Mapping) and bool(shape)
        schema = {**published, **shape} if is_shaped else published
        return part(GIVEN + name, name, schema, is_required=name in self.required)

    def _add_rest(
        self, name: str, kind: type, label: str, help_text: str, shapes: Mapping[str, Any]
    ) -> None:
        shape = dict(_items(shapes.get(name)))
        given: dict[str, Any] = {"key": GIVEN + name, "label": label, "help_text": ""}
        members = shape.get("prefixItems")
        if kind is list and isinstance(members, list) and members:
            parts = tuple(
                part(f"{GIVEN}{name}/{at}", str(at), each, is_required=True)
                for at, each in enumerate(members[:MAX_FIELDS], 1)
            )
            self.parts[name] = Part(**given, is_required=True, is_list=True, parts=parts)
        elif kind is dict and shape.get("properties"):
            self.parts[name] = part(GIVEN + name, label, shape, is_required=True)
        else:
            field = JsonField(kind, required=False, label=label, help_text=help_text)
            self.parts[name] = Part(
                **given | {"help_text": help_text}, is_required=False, field=field
            )


def named(
    properties: Mapping[str, Any], args: list[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Arguments by the names of their parameters; the rest by MORE_ARGUMENTS, MORE_KEYWORDS."""
    found = dict(zip(properties, args, strict=False))
    found |= {name: value for name, value in kwargs.items() if name in properties}
    rest = {name: value for name, value in kwargs.items() if name not in properties}
    more_of = {MORE_ARGUMENTS: args[len(properties) :], MORE_KEYWORDS: rest}
    return found | {name: each for name, each in more_of.items() if each}


def shapes_of(
    schema: Mapping[str, Any], args: list[Any], kwargs: Mapping[str, Any], *, as_json: bool
) -> dict[str, dict[str, Any]]:
    """How to show the arguments of a run; with `as_json`, each as one JSON text."""
    properties = dict(_items(schema.get("properties")))
    required = schema.get("required")
    found = named(properties, args, kwargs)
    more = found.pop(MORE_ARGUMENTS, [])
    if as_json:
        return {name: AS_JSON for name in found if name in properties}
    members = {"type": "array", "prefixItems": [inferred(each) for each in more]} if more else {}
    return {MORE_ARGUMENTS: members} | {
        name: shape_of(
            value,
            properties.get(name),
            is_required=isinstance(required, list) and name in required,
        )
        for name, value in found.items()
    }


def _items(value: Any) -> Any:
    return value.items() if isinstance(value, Mapping) else ()
