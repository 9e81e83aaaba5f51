"""The form by which people start the missed runs of a schedule."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms

from dboshub.schedules import actions
from dboshub.schedules.engine.cron import aware, zone
from dboshub.schedules.engine.records import Schedule
from dboshub.schedules.forms.base import ScheduleForm
from dboshub.schedules.rendering import shorten
from dboshub.workflows.actions.audit import Actor
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.forms.confirm_form import ActionResult


class BackfillForm(ScheduleForm):
    verb = "backfill"
    title = "Backfill this schedule"
    consequence = (
        "Every tick of a past span that has no run yet gets one, with that tick's time. You see "
        "the exact ticks before anything starts."
    )
    button = "Start these runs"

    start = forms.CharField(label="From", max_length=40)
    end = forms.CharField(label="To", max_length=40, help_text="Both included.")
    seen = forms.CharField(required=False, widget=forms.HiddenInput)
    field_order = ["start", "end", "reason", "seen"]
    SPAN = ("start", "end")

    def __init__(self, schedule: Schedule, *args: Any, **kwargs: Any) -> None:
        super().__init__(schedule, *args, **kwargs)
        zone_name = shorten(schedule.cron_timezone or "UTC")
        for name in self.SPAN:
            field = self.fields[name]
            field.label = f"{field.label} ({zone_name})"
            field.widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": 1})

    def clean_start(self) -> datetime:
        return self._time("start", fold=0)

    def clean_end(self) -> datetime:
        # In an hour that comes twice, the span reaches from its first to its second passage.
        return self._time("end", fold=1)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "start" in data and "end" in data and data["start"] > data["end"]:
            self.add_error("end", "This is before the start.")
        return data

    def span(self) -> list[forms.BoundField]:
        """The fields to fill in before there is anything to confirm."""
        return [self[name] for name in self.SPAN]

    def remember(self, ticks: Sequence[datetime]) -> None:
        """Let what is posted name the ticks that were shown."""
        seen = " ".join(tick.isoformat() for tick in ticks)
        self.data = {name: self.data.get(name) for name in self.fields} | {"seen": seen}
        for name in self.SPAN:
            self.fields[name].widget.attrs["readonly"] = True

    def perform(self, actor: Actor) -> ActionResult:
        data = self.cleaned_data
        started = actions.backfill(
            actor,
            self.name,
            data["start"],
            data["end"],
            expected=data["seen"].split(),
            reason=data["reason"],
        )
        runs = "1 run" if len(started) == 1 else f"{len(started):,} runs"
        return self._result(f"Enqueued {runs}; they start as workers are free.")

    def _time(self, name: str, *, fold: int) -> datetime:
        try:
            given = datetime.fromisoformat(self.cleaned_data[name].strip())
            if given.tzinfo is None:
                given = given.replace(tzinfo=zone(self.schedule.cron_timezone), fold=fold)
            given.timestamp()
            return aware(given)
        except DBOSException as error:
            raise forms.ValidationError(
                f"The schedule has no time zone: {shorten(error.message)}."
            ) from error
        except (ValueError, OverflowError) as error:
            raise forms.ValidationError("Write a time such as 2026-11-25T09:00.") from error
