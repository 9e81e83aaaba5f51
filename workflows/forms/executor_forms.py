"""Confirmation forms of the actions on executors and versions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.urls import reverse

from dboshub.workflows.actions import executor_actions
from dboshub.workflows.actions.audit import Actor
from dboshub.workflows.forms.confirm_form import MAX_TEXT, ActionResult, ConfirmForm
from dboshub.workflows.permissions import ADOPT_EXECUTOR, PROMOTE_VERSION


class ExecutorForm(ConfirmForm):
    """One action on one executor or version."""

    def __init__(self, target: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.target = target


class AdoptForm(ExecutorForm):
    verb = "adopt"
    permission = ADOPT_EXECUTOR
    title = "Adopt the work of this executor?"
    consequence = (
        "Its running workflows are enqueued again, and executors of the same version go on after "
        "the last completed step. Make sure that it has ended: a live executor notices only at "
        "its next step, and until then both run the same step."
    )
    button = "Adopt its work"
    is_danger = True

    application = forms.CharField(
        required=False, strip=False, max_length=MAX_TEXT, widget=forms.HiddenInput
    )

    def perform(self, actor: Actor) -> ActionResult:
        data = self.cleaned_data
        moved = executor_actions.adopt(
            actor, self.target, application=data["application"], reason=data["reason"]
        )
        runs = "1 workflow" if moved == 1 else f"{moved:,} workflows"
        return ActionResult(
            f"Enqueued {runs} of {self.target} again.", reverse("dboshub:workflows:executors")
        )


class PromoteForm(ExecutorForm):
    verb = "promote"
    permission = PROMOTE_VERSION
    title = "Make this version the latest?"
    consequence = (
        "It gets all work that names no version: what is enqueued, scheduled or forked from now "
        "on, and what waits already. Workflows started for another version stay with that version."
    )
    button = "Make it the latest"

    def perform(self, actor: Actor) -> ActionResult:
        executor_actions.promote(actor, self.target, reason=self.cleaned_data["reason"])
        return ActionResult(
            f"{self.target} is the latest version now.", reverse("dboshub:workflows:executors")
        )


FORMS: dict[str, type[ExecutorForm]] = {form.verb: form for form in (AdoptForm, PromoteForm)}
