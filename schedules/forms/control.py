"""Forms by which people pause, resume, trigger and delete a schedule, and the list of all forms.

Each form performs its action in `schedules.actions`, which checks and audits it.
"""

from __future__ import annotations

from django.urls import reverse

from dboshub.schedules import actions
from dboshub.schedules.forms.backfill import BackfillForm
from dboshub.schedules.forms.base import ScheduleForm
from dboshub.schedules.forms.definition import ChangeForm
from dboshub.workflows.actions.audit import Actor
from dboshub.workflows.forms.confirm_form import ActionResult
from dboshub.workflows.permissions import VIEW_WORKFLOW


class PauseForm(ScheduleForm):
    verb = "pause"
    title = "Pause this schedule?"
    consequence = (
        "No tick starts a run until you resume it. Running workflows continue. Workers notice "
        "within half a minute."
    )
    button = "Pause the schedule"

    def perform(self, actor: Actor) -> ActionResult:
        actions.pause(actor, self.name, reason=self.cleaned_data["reason"])
        return self._result("Paused. Workers notice within half a minute.")


class ResumeForm(ScheduleForm):
    verb = "resume"
    title = "Resume this schedule?"
    consequence = (
        "It continues with its next tick. With automatic backfill, the ticks since its last run "
        "are run first."
    )
    button = "Resume the schedule"

    def perform(self, actor: Actor) -> ActionResult:
        actions.resume(actor, self.name, reason=self.cleaned_data["reason"])
        return self._result("Resumed. Workers notice within half a minute.")


class TriggerForm(ScheduleForm):
    verb = "trigger"
    title = "Run this schedule now?"
    consequence = "One run is enqueued at once, in addition to those of its ticks."
    button = "Run it now"

    def perform(self, actor: Actor) -> ActionResult:
        run = actions.trigger(actor, self.name, reason=self.cleaned_data["reason"])
        message = "Enqueued: it starts when a worker is free."
        if not actor.user.has_perm(VIEW_WORKFLOW):
            return self._result(message)
        return ActionResult(message, reverse("dboshub:workflows:detail", args=[run]))


class DeleteForm(ScheduleForm):
    verb = "delete"
    title = "Delete this schedule?"
    consequence = (
        "No tick starts a run any more. Its runs are kept. A schedule that code declares is "
        "created again when its application launches."
    )
    button = "Delete the schedule"
    is_danger = True

    def perform(self, actor: Actor) -> ActionResult:
        actions.delete(actor, self.name, reason=self.cleaned_data["reason"])
        return ActionResult(f"Deleted {self.name}.", reverse("dboshub:schedules:list"))


FORMS: dict[str, type[ScheduleForm]] = {
    form.verb: form
    for form in (PauseForm, ResumeForm, TriggerForm, BackfillForm, ChangeForm, DeleteForm)
}
