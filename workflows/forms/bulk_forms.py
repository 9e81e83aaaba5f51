"""The form that starts a bulk job, or continues one that was stopped."""

from __future__ import annotations

from typing import Any

from django import forms

from dboshub.workflows.bulk.batch import AT_ONCE, OWN_QUEUE, UNKNOWN
from dboshub.workflows.bulk.verbs import VERBS
from dboshub.workflows.engine.options import MAX_PRIORITY
from dboshub.workflows.forms.confirm_form import MAX_TEXT
from dboshub.workflows.models import BulkJob

# The fields of each verb.
FIELDS = {
    "cancel": ("children",),
    "resume": ("queue", "unknown"),
    "fork_from_failure": ("start", "step", "name", "queue", "unknown"),
    "move": ("version",),
    "prioritize": ("priority",),
    "delay": ("delay", "unit"),
    "delete": ("children",),
}
ALWAYS = ("rate", "per", "reason")
SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
MAX_DELAY_S = 10 * 365 * SECONDS["day"]


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
        label="From an unknown queue",
        choices=[("", "leave it as it is"), (AT_ONCE, "as soon as possible, past every limit")],
    )
    version = forms.ChoiceField(required=False, label="To the version")
    priority = forms.IntegerField(
        min_value=0, max_value=MAX_PRIORITY, label="Priority", help_text="0 runs first."
    )
    delay = forms.FloatField(min_value=0, max_value=MAX_DELAY_S, label="For")
    unit = forms.ChoiceField(
        label="Unit", choices=[(each, f"{each}s") for each in SECONDS], initial="minute"
    )
    children = forms.BooleanField(required=False, label="Their children too, and theirs")
    rate = forms.FloatField(
        required=False,
        min_value=0.01,
        max_value=10_000,
        label="At most",
        help_text="Empty: as fast as it goes.",
    )
    per = forms.ChoiceField(
        required=False,
        label="Workflows per",
        choices=[("second", "second"), ("minute", "minute")],
    )
    reason = forms.CharField(
        required=False,
        max_length=MAX_TEXT,
        help_text="Kept in the audit log.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(
        self,
        job: BulkJob,
        *args: Any,
        queues: tuple[str, ...] = (),
        versions: tuple[str, ...] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.verb = VERBS[job.verb]
        wanted = [*(FIELDS.get(job.verb, ()) if job.started_at is None else ()), *ALWAYS]
        if UNKNOWN not in (job.plan or {}):
            wanted = [name for name in wanted if name != "unknown"]
        self.fields = {name: self.fields[name] for name in wanted}
        own = (OWN_QUEUE, "the one each came from, if it came from one")
        now = ("", "none: as soon as possible, past every limit")
        self._choose("queue", [own, now, *((name, name) for name in queues)])
        latest = ("", "none: the latest runs them")
        self._choose("version", [*((name, name) for name in versions), latest])
        self.initial.setdefault("queue", OWN_QUEUE)
        self.initial.setdefault("version", next(iter(versions), ""))
        self.initial.setdefault("rate", job.rate)

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields.get(name)
        if isinstance(field, forms.ChoiceField):
            field.choices = choices

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        for choice, field in (("number", "step"), ("name", "name")):
            if data.get("start") == choice and data.get(field) in (None, ""):
                self.add_error(field, "Say which.")
        if (data.get("delay") or 0) * SECONDS[data.get("unit") or "second"] > MAX_DELAY_S:
            self.add_error("delay", "That is longer than ten years.")
        return data

    def options(self) -> dict[str, Any]:
        """The chosen options of the job, by name; a delay in seconds."""
        data = {name: self.cleaned_data[name] for name in self.fields if name not in ALWAYS}
        if "delay" in data:
            data["seconds"] = data.pop("delay") * SECONDS[data.pop("unit")]
        return data

    def per_second(self) -> float | None:
        """The largest number of workflows per second; None for no limit."""
        rate: float | None = self.cleaned_data["rate"]
        return rate and rate / SECONDS[self.cleaned_data["per"] or "second"]
