"""JSON that a person writes into a form."""

from __future__ import annotations

import json
from typing import Any

from django import forms

# Characters of one value.
MAX_JSON = 1_000_000
# The value of an argument field that was left empty: the parameter's default applies.
OMITTED = object()


class JsonField(forms.CharField):
    """One JSON value, of the type `expected` if that is given; OMITTED if it is left empty."""

    widget = forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "class": "mono"})

    def __init__(self, expected: type | None = None, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_JSON, **kwargs)
        self.expected = expected

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str | None) else json.dumps(value, ensure_ascii=False)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text.strip():
            return OMITTED
        found = parsed_json(text)
        if self.expected is not None and not isinstance(found, self.expected):
            wanted = "an object: {…}" if self.expected is dict else "an array: […]"
            raise forms.ValidationError(f"This must be {wanted}.")
        return found


def parsed_json(text: str) -> Any:
    """The value of a JSON text. Raises ValidationError."""
    try:
        return json.loads(text, parse_constant=_not_json)
    except (ValueError, RecursionError) as error:
        raise forms.ValidationError(
            f"This is no JSON ({error}). Text needs double quotes."
        ) from error


def _not_json(name: str) -> Any:
    raise ValueError(f"{name} is not part of JSON")
