"""The form that every confirmation page shows: one action, and the reason for its audit row.

A form names its permission and performs by calling an action, which checks, acts and audits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from django import forms

from dboshub.workflows.actions.audit import Actor

MAX_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class ActionResult:
    """The message to show after the action, and the page to go to."""

    message: str
    url: str


class Confirmable(Protocol):
    """What a confirmation page needs of its form."""

    @property
    def permission(self) -> str: ...
    def is_valid(self) -> bool: ...
    def perform(self, actor: Actor) -> ActionResult: ...


class ConfirmForm(forms.Form):
    """One action on one target."""

    verb: ClassVar[str]
    permission: ClassVar[str]
    title: ClassVar[str]
    consequence: ClassVar[str]
    button: ClassVar[str]
    is_danger: ClassVar[bool] = False

    reason = forms.CharField(
        required=False,
        max_length=MAX_TEXT,
        help_text="Kept in the audit log.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def perform(self, actor: Actor) -> ActionResult:
        """Perform the action. Raises ActionRefusedError."""
        # Not an abstract class: Django's forms have a metaclass of their own.
        raise NotImplementedError(f"{type(self).__name__} does not say how to act")
