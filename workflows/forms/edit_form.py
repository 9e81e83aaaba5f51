"""The form of a fork with changes: other arguments, or another result of one step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from dboshub.workflows.actions.edited_forks import Change, NewInput, NewResult
from dboshub.workflows.forms.argument_nodes import ArgumentsForm
from dboshub.workflows.forms.confirm_form import MAX_TEXT
from dboshub.workflows.forms.value_shape import inferred
from dboshub.workflows.permissions import EDIT_RUN
from dboshub.workflows.selectors.editable import Editable

RESULT = "result"


class EditForm(ArgumentsForm):
    """Fields for the old value, which is posted changed; the old one is in `editable`."""

    permission = EDIT_RUN

    start_step = forms.IntegerField(
        min_value=0,
        max_value=2**31 - 1,
        initial=1,
        label="From step",
        help_text="1 runs all of it again. Steps before it keep their recorded results.",
    )
    queue = forms.ChoiceField(required=False, label="Onto the queue")
    version = forms.CharField(
        required=False, max_length=MAX_TEXT, label="For version", help_text="Empty: the newest."
    )
    reason = forms.CharField(
        required=False,
        max_length=MAX_TEXT,
        help_text="Kept in the audit log.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(
        self,
        editable: Editable,
        parameters: Mapping[str, Any],
        *args: Any,
        queues: tuple[str, ...] = (),
        as_json: bool = False,
        **kwargs: Any,
    ) -> None:
        """`parameters` is the published signature of the workflow, empty if nobody publishes it."""
        self.editable = editable
        is_result = editable.step is not None
        schema = result_schema(editable, as_json=as_json) if is_result else parameters
        like = ([], {RESULT: editable.value}) if is_result else (editable.args, editable.kwargs)
        if editable.is_missing:
            like = ([], {})
        super().__init__(schema, *args, like=like, as_json=as_json, **kwargs)
        queue = self.fields["queue"]
        assert isinstance(queue, forms.ChoiceField)
        now = ("", "none: as soon as possible, past every limit")
        queue.choices = [now, *((name, name) for name in queues)]
        if is_result:
            del self.fields["start_step"]

    @property
    def option_fields(self) -> list[forms.BoundField]:
        names = ("start_step", "queue", "version", "reason")
        return [self[name] for name in names if name in self.fields]

    def change(self) -> Change:
        """The change of a valid form."""
        step = self.editable.step
        if step is not None:
            _, named = self.given()
            return NewResult(step=step.function_id, value=named[RESULT])
        # What was given by position stays so, and the record shows what was changed alone.
        positional = len(self.editable.args)
        args, kwargs = self.arguments.given(self.cleaned_data, positional=positional)
        return NewInput(args=args, kwargs=kwargs, start_step=self.cleaned_data["start_step"])


def result_schema(editable: Editable, *, as_json: bool) -> dict[str, Any]:
    """The types of a recorded result, which another one must have; as JSON it is free."""
    is_free = as_json or editable.is_missing
    found = {} if is_free else inferred(editable.value)
    return {"type": "object", "properties": {RESULT: found}, "required": [RESULT]}
