"""The base of the forms by which people act on one schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.urls import reverse

from dboshub.schedules.checks import PERMISSION
from dboshub.schedules.engine.records import Schedule
from dboshub.workflows.forms.confirm_form import ActionResult, ConfirmForm


class ScheduleForm(ConfirmForm):
    """One action on one schedule. `queues` are the names that a form may offer."""

    permission = PERMISSION

    def __init__(
        self, schedule: Schedule, *args: Any, queues: Sequence[str] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.schedule = schedule
        self.name = schedule.schedule_name
        self.queues = queues

    def _result(self, message: str) -> ActionResult:
        """The message on the page of the schedule."""
        return ActionResult(message, reverse("dboshub:schedules:detail", args=[self.name]))
