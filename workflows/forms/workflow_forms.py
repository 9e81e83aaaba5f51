"""Confirmation forms of the actions on one workflow."""

from __future__ import annotations

from typing import Any

from django import forms
from django.urls import reverse

from dboshub.workflows.actions import workflow_actions
from dboshub.workflows.actions.audit import Actor
from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.forms.confirm_form import MAX_TEXT, ActionResult, ConfirmForm
from dboshub.workflows.forms.json_fields import MAX_JSON, parsed_json
from dboshub.workflows.permissions import (
    CANCEL_WORKFLOW,
    DELETE_WORKFLOW,
    FORK_WORKFLOW,
    RESUME_WORKFLOW,
    SEND_MESSAGE,
)
from dboshub.workflows.selectors.rows import WorkflowRow


class ActionForm(ConfirmForm):
    """One action on one workflow."""

    field_order = []

    def __init__(
        self, row: WorkflowRow, *args: Any, queues: tuple[str, ...] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.row = row
        field = self.fields.get("queue")
        if isinstance(field, forms.ChoiceField):
            now = ("", "none: as soon as possible, past every limit")
            field.choices = [now, *((name, name) for name in queues)]

    def _here(self, message: str) -> ActionResult:
        return ActionResult(message, reverse("dboshub:workflows:detail", args=[self.row.pk]))


class CancelForm(ActionForm):
    verb = "cancel"
    permission = CANCEL_WORKFLOW
    title = "Cancel this workflow?"
    consequence = (
        "It stops at its next step, or where it waits. What is recorded stays, and resuming goes "
        "on from there."
    )
    button = "Cancel the workflow"
    is_danger = True

    children = forms.BooleanField(required=False, label="Cancel its children too, and theirs")
    field_order = ["children", "reason"]

    def perform(self, actor: Actor) -> ActionResult:
        data = self.cleaned_data
        workflow_actions.cancel(
            actor, self.row.pk, reason=data["reason"], children=data["children"]
        )
        return self._here("Cancelled. Resume goes on after its last completed step.")


class ResumeForm(ActionForm):
    verb = "resume"
    permission = RESUME_WORKFLOW
    title = "Resume this workflow?"
    consequence = (
        "It is enqueued again and goes on after its last completed step, or with the rest of its "
        "wait. If it is running, it is taken from its executor first."
    )
    button = "Resume the workflow"

    queue = forms.ChoiceField(required=False, label="Onto the queue")
    field_order = ["queue", "reason"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "queue" in self.initial:
            self.fields["queue"].help_text = self._where_from(self.initial["queue"])

    def _where_from(self, queue: str | None) -> str:
        """What is known of the queue that it came from; None if nothing is."""
        if queue is None:
            return "Nothing says which queue it came from."
        if not queue or queue == INTERNAL_QUEUE:
            return "It was on no queue."
        field = self.fields["queue"]
        known = isinstance(field, forms.ChoiceField) and queue in dict(field.choices)  # type: ignore[arg-type]
        return "It came from this one." if known else f"It came from {queue!r}, which is not there."

    def perform(self, actor: Actor) -> ActionResult:
        data = self.cleaned_data
        workflow_actions.resume(
            actor, self.row.pk, reason=data["reason"], queue=data["queue"] or None
        )
        return self._here("Resumed: it is enqueued and starts when an executor is free.")


class ForkForm(ActionForm):
    verb = "fork"
    permission = FORK_WORKFLOW
    title = "Fork this workflow?"
    consequence = (
        "A new workflow with the same input keeps the recorded results of the steps before the "
        "one you choose, and runs that one and the rest anew. This one stays as it is."
    )
    button = "Fork the workflow"

    step = forms.IntegerField(
        min_value=0,
        max_value=2**31 - 1,
        label="From step",
        help_text="1 runs all of it again.",
    )
    queue = forms.ChoiceField(required=False, label="Onto the queue")
    version = forms.CharField(
        required=False, max_length=MAX_TEXT, label="For version", help_text="Empty: the newest."
    )
    field_order = ["step", "queue", "version", "reason"]

    def perform(self, actor: Actor) -> ActionResult:
        data = self.cleaned_data
        new_id = workflow_actions.fork(
            actor,
            self.row.pk,
            start_step=data["step"],
            reason=data["reason"],
            queue=data["queue"] or None,
            version=data["version"] or None,
        )
        return ActionResult(
            f"This is the fork of {self.row.pk}, from step {data['step']}.",
            reverse("dboshub:workflows:detail", args=[new_id]),
        )


class DeleteForm(ActionForm):
    verb = "delete"
    permission = DELETE_WORKFLOW
    title = "Delete this workflow?"
    consequence = (
        "Its input, outcome, steps, events, messages and streams are deleted with it. This "
        "cannot be undone."
    )
    button = "Delete for good"
    is_danger = True

    children = forms.BooleanField(required=False, label="Delete its children too, and theirs")
    field_order = ["children", "reason"]

    def perform(self, actor: Actor) -> ActionResult:
        data = self.cleaned_data
        workflow_actions.delete(
            actor, self.row.pk, reason=data["reason"], children=data["children"]
        )
        return ActionResult(f"Deleted {self.row.pk}.", reverse("dboshub:workflows:list"))


class SendForm(ActionForm):
    verb = "send"
    permission = SEND_MESSAGE
    title = "Send a message"
    consequence = "DBOS.recv of this workflow gets it, if it asks for the same topic."
    button = "Send"

    topic = forms.CharField(
        required=False, max_length=MAX_TEXT, strip=False, help_text="Empty: no topic."
    )
    value = forms.CharField(
        max_length=MAX_JSON,
        label="Value, as JSON",
        help_text='Such as "paid", 42 or {"status": "paid"}.',
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "mono"}),
    )
    field_order = ["topic", "value", "reason"]

    def clean_value(self) -> Any:
        return parsed_json(self.cleaned_data["value"])

    def perform(self, actor: Actor) -> ActionResult:
        data = self.cleaned_data
        workflow_actions.send(
            actor, self.row.pk, topic=data["topic"], value=data["value"], reason=data["reason"]
        )
        return self._here("Sent. It is received when the workflow asks for it.")


FORMS: dict[str, type[ActionForm]] = {
    form.verb: form for form in (CancelForm, ResumeForm, ForkForm, DeleteForm, SendForm)
}
