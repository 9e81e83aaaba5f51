"""A form with the arguments of a workflow, as nodes that a template nests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms

from dboshub.workflows.forms.argument_parts import Part
from dboshub.workflows.forms.arguments import Arguments, Given, shapes_of
from dboshub.workflows.forms.value_shape import MAX_SHAPE, posted, written


@dataclass(frozen=True, slots=True)
class Node:
    """A field, or a named group of nodes."""

    label: str
    help_text: str
    fields: tuple[forms.BoundField, ...]  # at most one
    nodes: tuple[Node, ...]


class ArgumentsForm(forms.Form):
    """A form whose first fields are arguments. Their shape is a hidden field, posted back."""

    shape = forms.CharField(required=False, max_length=MAX_SHAPE, widget=forms.HiddenInput)

    def __init__(
        self,
        schema: Mapping[str, Any],
        *args: Any,
        like: Given | None = None,
        as_json: bool = False,
        **kwargs: Any,
    ) -> None:
        """`like` has the arguments to show first; `as_json` shows each as one JSON text."""
        super().__init__(*args, **kwargs)
        shapes = shapes_of(schema, *like, as_json=as_json) if like is not None else {}
        if self.is_bound:
            shapes = posted(str(self.data.get("shape", "")))
        self.arguments = Arguments(schema, shapes)
        self.fields |= self.arguments.fields()
        if like is not None:
            self.initial.update({"shape": written(shapes), **self.arguments.initial(*like)})

    @property
    def nodes(self) -> list[Node]:
        return [self._node(each) for each in self.arguments.parts.values()]

    def given(self) -> Given:
        """The arguments of a valid form."""
        return self.arguments.given(self.cleaned_data)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name, problem in self.arguments.errors(cleaned):
            if name not in self.errors:
                self.add_error(name, problem)
        return cleaned

    def _node(self, part: Part) -> Node:
        fields = (self[part.key],) if part.field is not None else ()
        nodes = tuple(self._node(each) for each in part.parts)
        return Node(part.label, part.help_text, fields, nodes)
