"""The form that starts a bulk job, or continues one that was stopped."""

from __future__ import annotations

from typing import Any

from django import forms

from dboshub.workflows.bulk.verbs import AT_ONCE, NOT_KNOWN, OWN_QUEUE, VERBS
from dboshub.workflows.forms.confirm_form import MAX_TEXT
from dboshub.workflows.models import BulkJob

# The options of each verb.
FIELDS = {
    "cancel": ("children",),
    "resume": ("queue", "unknown"),
    "fork_from_failure": ("start", "step", "name", "queue", "unknown"),
    "delete": ("children",),
}
OPTIONS = ("start", "step", "name", "queue", "unknown", "children")


class BulkStartForm(forms.Form):
    """Options, rate and reason of a job. A job that was started before keeps its options."""

    start = forms.ChoiceField(
        label="Fork from",
        choices=[
            ("failed", "the last failed step, or else the last recorded one"),
            ("last", "the last recorded step"),
            ("number", "a step by its number"),
            ("name", "the last step of a name"),
        ],
    )
    step = forms.IntegerField(
        required=False, min_value=0, max_value=2**31 - 1, label="Step number", help_text="if chosen"
    )
    name = forms.CharField(
        required=False, max_length=MAX_TEXT, label="Step name", help_text="if chosen"
    )
    queue = forms.ChoiceField(required=False, label="Onto the queue")
    unknown = forms.ChoiceField(
        required=False,
        label="Where nothing says which",
        choices=[("", "leave it as it is"), (AT_ONCE, "as soon as possible, past every limit")],
    )
    children = forms.BooleanField(required=False, label="Their children too, and theirs")
    rate = forms.FloatField(
        required=False,
        min_value=0.01,
        max_value=10_000,
        label="At most per second",
        help_text="Empty: as fast as it goes.",
    )
    reason = forms.CharField(
        required=False,
        max_length=MAX_TEXT,
        help_text="Kept in the audit log.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(
        self, job: BulkJob, *args: Any, queues: tuple[str, ...] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.verb = VERBS[job.verb]
        wanted = FIELDS[job.verb] if job.started_at is None else ()
        for name in OPTIONS:
            if name not in wanted or (name == "unknown" and NOT_KNOWN not in (job.plan or {})):
                del self.fields[name]
        field = self.fields.get("queue")
        if isinstance(field, forms.ChoiceField):
            own = (OWN_QUEUE, "the one each came from, if it came from one")
            now = ("", "none: as soon as possible, past every limit")
            field.choices = [own, now, *((name, name) for name in queues)]
            self.initial.setdefault("queue", OWN_QUEUE)
        self.initial.setdefault("rate", job.rate)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        for choice, field in (("number", "step"), ("name", "name")):
            if data.get("start") == choice and data.get(field) in (None, ""):
                self.add_error(field, "Say which.")
        return data

    def options(self) -> dict[str, Any]:
        """The chosen options of the job, by name."""
        return {name: self.cleaned_data[name] for name in OPTIONS if name in self.fields}
