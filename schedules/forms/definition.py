"""Forms by which people create a schedule or change one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.urls import reverse

from dboshub.schedules import definition_actions
from dboshub.schedules.checks import PERMISSION
from dboshub.schedules.engine.records import Schedule
from dboshub.schedules.forms.base import ScheduleForm
from dboshub.workflows.actions.audit import Actor
from dboshub.workflows.forms.confirm_form import MAX_TEXT, ActionResult, ConfirmForm
from dboshub.workflows.forms.json_fields import MAX_JSON, parsed_json

NAME = {"spellcheck": "false", "autocomplete": "off"}
CODE = NAME | {"class": "mono"}


class TimesForm(forms.Form):
    """Cron, time zone, queue and backfill: the fields of new and changed schedules."""

    cron = forms.CharField(
        label="Cron",
        max_length=200,
        help_text="Minute, hour, day, month, weekday; or six fields with seconds first.",
        widget=forms.TextInput(attrs=CODE),
    )
    timezone = forms.ChoiceField(label="Time zone", required=False)
    queue = forms.ChoiceField(required=False)
    backfill = forms.BooleanField(required=False, label="Run missed ticks when workers are back")

    def __init__(self, *args: Any, queues: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = [("", "UTC"), *((name, name) for name in sorted(available_timezones()))]
        lines = [("", "none: as soon as possible"), *((name, name) for name in queues)]
        for name, choices in (("timezone", zones), ("queue", lines)):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices


class NewScheduleForm(TimesForm, ConfirmForm):
    permission = PERMISSION
    title = "New schedule"
    consequence = "Each tick starts a run of the workflow, given the tick's time and the context."
    button = "Make the schedule"

    name = forms.CharField(max_length=MAX_TEXT, widget=forms.TextInput(attrs=NAME))
    workflow = forms.CharField(
        max_length=MAX_TEXT,
        help_text="Its registered name.",
        widget=forms.TextInput(attrs=NAME | {"list": "startable"}),
    )
    application = forms.CharField(
        required=False,
        max_length=MAX_TEXT,
        help_text="Empty: the only one there is.",
        widget=forms.TextInput(attrs=NAME | {"list": "applications"}),
    )
    context = forms.CharField(
        required=False,
        max_length=MAX_JSON,
        help_text="JSON; empty: none.",
        widget=forms.Textarea(attrs=CODE | {"rows": 2}),
    )
    field_order = ["name", "workflow", "application", "cron", "timezone", "queue", "backfill"]

    def clean_context(self) -> Any:
        text = self.cleaned_data["context"]
        return parsed_json(text) if text.strip() else None

    def draft(self) -> Schedule:
        """The schedule as it would be. Raises ActionRefusedError."""
        return definition_actions.draft(self.cleaned_data)

    def perform(self, actor: Actor) -> ActionResult:
        definition_actions.create(actor, self.draft(), reason=self.cleaned_data["reason"])
        url = reverse("dboshub:schedules:detail", args=[self.cleaned_data["name"]])
        return ActionResult("Made. Workers notice it within half a minute.", url)


class ChangeForm(TimesForm, ScheduleForm):
    verb = "change"
    title = "Change this schedule?"
    consequence = (
        "Ticks from now on follow what you write here. An application that applies this schedule "
        "when it launches sets it back."
    )
    button = "Change the schedule"
    field_order = ["cron", "timezone", "queue", "backfill", "reason"]

    def __init__(self, schedule: Schedule, *args: Any, **kwargs: Any) -> None:
        now = {
            "cron": schedule.schedule,
            "timezone": schedule.cron_timezone or "",
            "queue": schedule.queue_name or "",
            "backfill": schedule.automatic_backfill,
        }
        super().__init__(schedule, *args, initial=now, **kwargs)

    def perform(self, actor: Actor) -> ActionResult:
        data = self.cleaned_data
        definition_actions.change(
            actor,
            self.name,
            reason=data["reason"],
            schedule=data["cron"],
            cron_timezone=data["timezone"] or None,
            queue_name=data["queue"] or None,
            automatic_backfill=data["backfill"],
        )
        return self._result("Changed. Workers notice within half a minute.")
