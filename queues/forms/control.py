"""What a person fills in to act on one queue. Each form performs by calling queues.actions, which
checks, acts and audits."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from dboshub.queues import actions
from dboshub.queues.forms.limits import QueueForm
from dboshub.queues.links import detail_url
from dboshub.queues.models import Queue
from dboshub.workflows.actions.audit import Actor
from dboshub.workflows.forms.confirm_form import ActionResult, ConfirmForm


class QueueAction(ConfirmForm):
    """One action on one queue."""

    permission = "dboshub_queues.change_queue"

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = name


class PauseForm(QueueAction):
    verb = "pause"
    title = "Pause this queue?"
    consequence = (
        "Workers of this hub take nothing more from it until you resume it; what runs goes on, "
        "and what comes in waits. Executors of other programs do not know of a pause."
    )
    button = "Pause the queue"

    def perform(self, actor: Actor) -> ActionResult:
        actions.pause_queue(actor, self.name, reason=self.cleaned_data["reason"])
        return ActionResult("Paused: workers take nothing more from it.", detail_url(self.name))


class ResumeForm(QueueAction):
    verb = "resume"
    title = "Resume this queue?"
    consequence = "Workers take from it again at once, as its limits allow."
    button = "Resume the queue"

    def perform(self, actor: Actor) -> ActionResult:
        actions.resume_queue(actor, self.name, reason=self.cleaned_data["reason"])
        return ActionResult("Resumed: workers take from it again.", detail_url(self.name))


class DeleteForm(QueueAction):
    verb = "delete"
    permission = "dboshub_queues.delete_queue"
    title = "Delete this queue?"
    consequence = (
        "Its limits and its pause are gone; what it started goes on. An application that "
        "registers it makes it again when it launches."
    )
    button = "Delete the queue"
    is_danger = True

    def perform(self, actor: Actor) -> ActionResult:
        actions.delete_queue(actor, self.name, reason=self.cleaned_data["reason"])
        return ActionResult(f"Deleted the queue {self.name}.", reverse("dboshub:queues:list"))


class LimitsForm(QueueForm):
    """A queue's limits, edited in place: the admin's checks, without its name and owner."""

    verb = "change"
    permission = "dboshub_queues.change_queue"
    title = "Change this queue's limits"
    consequence = "Running workers take the new limits at their next poll. Empty means unlimited."
    button = "Save the limits"
    is_danger = False

    class Meta(QueueForm.Meta):
        exclude = ("name", "application_name")
        labels = {
            "concurrency": "Running at once, in all",
            "worker_concurrency": "Running at once, per executor",
            "rate_limit_max": "Starts",
            "rate_limit_period_sec": "in how many seconds",
            "partition_concurrency": "Per partition: running at once",
            "partition_worker_concurrency": "Per partition and executor",
            "partition_rate_limit_max": "Per partition: starts",
            "partition_rate_limit_period_sec": "in how many seconds",
            "polling_interval_sec": "Polled every, in seconds",
        }

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, instance=Queue.objects.filter(name=name).first(), **kwargs)
        self.name = name
        for field, value in self.initial.items():
            if isinstance(value, float) and value.is_integer():
                self.initial[field] = int(value)

    def perform(self, actor: Actor) -> ActionResult:
        data = self.cleaned_data
        actions.change_queue(actor, self.settings(), as_of=data["as_of"], reason=data["reason"])
        return ActionResult(
            "Saved: workers take these limits at their next poll.", detail_url(self.name)
        )


FORMS: dict[str, type[QueueAction] | type[LimitsForm]] = {
    form.verb: form for form in (PauseForm, ResumeForm, LimitsForm, DeleteForm)
}
