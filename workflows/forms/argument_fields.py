"""Form fields for plain values: text, numbers, choices, values by line."""

from __future__ import annotations

import json
from typing import Any

from django import forms

from dboshub.workflows.engine.stored_json import UnreadableJsonError, stored_json
from dboshub.workflows.forms.json_fields import MAX_JSON, OMITTED
from dboshub.workflows.forms.schema_check import TYPES, wanted_by
from dboshub.workflows.forms.value_shape import is_in_lines


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

    def __init__(self, values: list[Any], *, empty: str, **kwargs: Any) -> None:
        shown = {json.dumps(value): value for value in values}
        choices = {} if kwargs["required"] else {"": empty}
        words = {text: value if isinstance(value, str) else text for text, value in shown.items()}
        super().__init__(choices=[*(choices | words).items()], **kwargs)
        self._texts = {"", *shown}

    def prepare_value(self, value: Any) -> Any:
        if value is None and "null" not in self._texts:
            return ""
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


class LinesField(forms.CharField):
    """A list of texts or of numbers, one a line; what has lines itself is given as a JSON array."""

    widget = forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "mono"})

    def __init__(self, kind: str, *, may_be_omitted: bool, **kwargs: Any) -> None:
        super().__init__(required=False, strip=False, max_length=MAX_JSON, **kwargs)
        self.kind, self.may_be_omitted = kind, may_be_omitted

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        if not is_in_lines(value):
            return json.dumps(value, ensure_ascii=False)
        return "\n".join(v if isinstance(v, str) else json.dumps(v) for v in value)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        lines = [line for line in text.splitlines() if line.strip()]
        if not lines:
            return OMITTED if self.may_be_omitted else []
        if lines[0].startswith("["):
            return self._array(text)
        return [self._one(line, number) for number, line in enumerate(lines, 1)]

    def _array(self, text: str) -> Any:
        try:
            found = stored_json(text)
        except UnreadableJsonError as error:
            raise forms.ValidationError(f"This is no JSON array ({error}).") from error
        return found

    def _one(self, line: str, number: int) -> Any:
        if self.kind == "string":
            return line
        try:
            found = json.loads(line.strip())
        except (ValueError, RecursionError):
            found = line
        is_of_kind = isinstance(found, TYPES[self.kind]) and (
            self.kind == "boolean" or not isinstance(found, bool)
        )
        if not is_of_kind:
            wanted = wanted_by({"type": self.kind})
            raise forms.ValidationError(f"Line {number} must be {wanted}.")
        return found
