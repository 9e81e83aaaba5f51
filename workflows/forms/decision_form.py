"""The form of a decision about an incident."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import get_user_model

from dboshub.workflows.actions import incident_actions
from dboshub.workflows.actions.audit import Actor
from dboshub.workflows.actions.incident_actions import Ignored, Subject
from dboshub.workflows.clock import now_ms
from dboshub.workflows.forms.confirm_form import MAX_TEXT
from dboshub.workflows.models.rollups import HOUR

MAX_PEOPLE = 200
IGNORE, STOP, ASSIGN = "ignore", "stop_ignoring", "assign"
# How long something can be ignored: the value, the label, and the hours of a fixed time.
LENGTHS: dict[str, tuple[str, str, int]] = {
    "seen": (Ignored.SEEN, Ignored.SEEN.label, 0),
    "version": (Ignored.VERSION, Ignored.VERSION.label, 0),
    "day": (Ignored.UNTIL, "for a day", 24),
    "week": (Ignored.UNTIL, "for seven days", 7 * 24),
    "always": (Ignored.ALWAYS, Ignored.ALWAYS.label, 0),
}
# What lasts has no "again", and only failures have versions of their own.
LENGTHS_OF = {
    "failure": ("seen", "version", "day", "week", "always"),
    "executor": ("seen", "day", "week", "always"),
    "schedule": ("seen", "day", "week", "always"),
}
LASTING = ("day", "week", "always")


class DecisionForm(forms.Form):
    """One decision: `do` says which."""

    do = forms.ChoiceField(choices=[(each, each) for each in (IGNORE, STOP, ASSIGN)])
    how = forms.ChoiceField(required=False, label="Ignore it")
    why = forms.CharField(required=False, max_length=MAX_TEXT, label="Why")
    who = forms.ChoiceField(required=False, label="Assigned to")

    def __init__(self, subject: Subject, *args: Any, assignee: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.subject = subject
        lengths = LENGTHS_OF.get(subject.kind, LASTING)
        self._choices("how", [(each, LENGTHS[each][1]) for each in lengths])
        known = people()
        self._choices("who", [("", "nobody"), *known])
        self.initial["who"] = next((pk for pk, name in known if name == assignee), "")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("do") == IGNORE and not data.get("how") and "how" not in self.errors:
            self.add_error("how", "Say for how long.")
        return data

    def perform(self, actor: Actor) -> str:
        """Perform the decision; return what to say. Raises ActionRefusedError."""
        given = self.cleaned_data
        if given["do"] == STOP:
            incident_actions.stop_ignoring(actor, self.subject)
            return "It is no longer ignored."
        if given["do"] == ASSIGN:
            everybody = get_user_model()._default_manager
            user = everybody.filter(pk=given["who"]).first() if given["who"] else None
            incident_actions.assign(actor, self.subject, user)
            return f"Assigned to {user.get_username()}." if user else "Assigned to nobody."
        how, words, hours = LENGTHS[given["how"]]
        until = now_ms() + hours * HOUR if hours else None
        incident_actions.ignore(actor, self.subject, how, until=until, why=given["why"])
        return f"Ignored {words}."

    def _choices(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices


def people() -> list[tuple[str, str]]:
    """The first active accounts by name, as choices."""
    model = get_user_model()
    found = model._default_manager.filter(is_active=True).order_by(model.USERNAME_FIELD)
    return [(str(user.pk), user.get_username()) for user in found[:MAX_PEOPLE]]
