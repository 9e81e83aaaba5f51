"""Forms by which people pause, resume and delete a queue, and the list of all forms.

Each form performs its action in `queues.actions`, which checks and audits it.
"""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from dboshub.queues import actions
from dboshub.queues.forms.limits import LimitsForm
from dboshub.workflows.actions.audit import Actor
from dboshub.workflows.forms.confirm_form import ActionResult, ConfirmForm


class QueueAction(ConfirmForm):
    """One action on one queue."""

    permission = "dboshub_queues.change_queue"

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = name

    def _result(self, message: str) -> ActionResult:
        """The message on the page of the queue."""
        return ActionResult(message, reverse("dboshub:queues:detail", args=[self.name]))


class PauseForm(QueueAction):
    verb = "pause"
    title = "Pause this queue?"
    consequence = (
        "Workers of this hub claim nothing more from it until you resume it. Running workflows "
        "continue, and new ones wait. Executors of other programs ignore pauses."
    )
    button = "Pause the queue"

    def perform(self, actor: Actor) -> ActionResult:
        actions.pause_queue(actor, self.name, reason=self.cleaned_data["reason"])
        return self._result("Paused: workers claim nothing more from it.")


class ResumeForm(QueueAction):
    verb = "resume"
    title = "Resume this queue?"
    consequence = "Workers claim from it again at once, within its limits."
    button = "Resume the queue"

    def perform(self, actor: Actor) -> ActionResult:
        actions.resume_queue(actor, self.name, reason=self.cleaned_data["reason"])
        return self._result("Resumed: workers claim from it again.")


class DeleteForm(QueueAction):
    verb = "delete"
    permission = "dboshub_queues.delete_queue"
    title = "Delete this queue?"
    consequence = (
        "Its limits and its pause are deleted. Running workflows continue. An application that "
        "registers it creates it again when it launches."
    )
    button = "Delete the queue"
    is_danger = True

    def perform(self, actor: Actor) -> ActionResult:
        actions.delete_queue(actor, self.name, reason=self.cleaned_data["reason"])
        return ActionResult(f"Deleted the queue {self.name}.", reverse("dboshub:queues:list"))


FORMS: dict[str, type[QueueAction] | type[LimitsForm]] = {
    form.verb: form for form in (PauseForm, ResumeForm, LimitsForm, DeleteForm)
}
