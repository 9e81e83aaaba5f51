"""Form fields for the parameters of a workflow, from the JSON Schema that executors publish."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from django import forms
from django.utils.text import capfirst

from dboshub.workflows.forms.json_fields import MAX_JSON, OMITTED, JsonField

Kind = TypeVar("Kind", list[Any], dict[str, Any])

# What a published schema may hold in excess of these is left out.
MAX_FIELDS, MAX_OPTIONS, MAX_WORDS = 100, 200, 300
# Prefix of argument fields: a parameter may have the name of another field of the form.
GIVEN = "arg:"
MORE_ARGUMENTS, MORE_KEYWORDS = "*", "**"


class TextField(forms.CharField):
    """Text without stripping. Empty text means "omitted" only if the parameter has a default."""

    def __init__(self, *, may_be_omitted: bool, **kwargs: Any) -> None:
        super().__init__(required=False, strip=False, max_length=MAX_JSON, **kwargs)
        self.may_be_omitted = may_be_omitted

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return OMITTED if self.may_be_omitted and not text else text


class ChosenField(forms.ChoiceField):
    """One of some JSON values; empty if the parameter has a default."""

    def __init__(self, values: list[Any], **kwargs: Any) -> None:
        shown = {json.dumps(value): value for value in values}
        empty = {} if kwargs["required"] else {"": "the default"}
        words = {text: value if isinstance(value, str) else text for text, value in shown.items()}
        super().__init__(choices=[*(empty | words).items()], **kwargs)
        self._texts = {"", *shown}

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) and value in self._texts else json.dumps(value)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return json.loads(text) if text else OMITTED


class WholeNumberField(forms.IntegerField):
    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        return OMITTED if found is None else found


class NumberField(forms.FloatField):
    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        return OMITTED if found is None else found


def argument_fields(schema: Mapping[str, Any]) -> dict[str, forms.Field]:
    """One field per parameter, in order; without a schema, one array and one object."""
    if not schema:
        return {
            GIVEN + MORE_ARGUMENTS: JsonField(
                list, required=False, label="Arguments", help_text="A JSON array."
            ),
            GIVEN + MORE_KEYWORDS: JsonField(
                dict, required=False, label="Keyword arguments", help_text="A JSON object."
            ),
        }
    # Any program may have written this: its parts may be of any type.
    required = _as(list, schema.get("required"))
    properties = _as(dict, schema.get("properties"))
    found = {
        GIVEN + name: _field(name, each, is_required=name in required)
        for name, each in [*properties.items()][:MAX_FIELDS]
        if isinstance(each, Mapping)
    }
    if "x-more" in schema:
        found[GIVEN + MORE_ARGUMENTS] = JsonField(
            list, required=False, label=f"*{schema['x-more']}", help_text="More, as a JSON array."
        )
    if schema.get("additionalProperties"):
        found[GIVEN + MORE_KEYWORDS] = JsonField(
            dict, required=False, label="More keyword arguments", help_text="A JSON object."
        )
    return found


def _field(name: str, schema: Mapping[str, Any], *, is_required: bool) -> forms.Field:
    said: dict[str, Any] = {"label": name, "help_text": _help(schema, is_required=is_required)}
    options = schema.get("enum")
    kind = schema.get("type")
    if kind == "boolean":
        options = [True, False]
    if isinstance(options, list):
        return ChosenField(options[:MAX_OPTIONS], required=is_required, **said)
    if kind == "string":
        return TextField(may_be_omitted=not is_required, **said)
    if kind == "integer":
        return WholeNumberField(required=is_required, **said)
    if kind == "number":
        return NumberField(required=is_required, **said)
    expected = {"object": dict, "array": list}.get(str(kind))
    return JsonField(expected, required=is_required, **said)


def _help(schema: Mapping[str, Any], *, is_required: bool) -> str:
    told = [_type_name(schema)]
    if not is_required:
        default = schema.get("x-default", json.dumps(schema.get("default"), ensure_ascii=False))
        told.append(f"empty: {default}")
    return capfirst(", ".join(each for each in told if each)[:MAX_WORDS]) + "."


def _type_name(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        choices = [each for each in _as(list, schema["anyOf"]) if isinstance(each, Mapping)]
        return " or ".join(filter(None, map(_type_name, choices[:MAX_OPTIONS])))
    if "title" in schema:
        return f"{schema['title']}, as JSON"
    named = {"string": "text", "integer": "whole number", "object": "JSON object"}
    named |= {"array": "JSON array", "boolean": "true or false", "null": "null"}
    if "enum" in schema:
        return "one of these"
    return named.get(str(schema.get("type")), str(schema.get("type", "any JSON value")))


def _as(kind: type[Kind], value: Any) -> Kind:
    return value if isinstance(value, kind) else kind()
