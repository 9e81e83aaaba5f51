"""Asking before acting: what every confirmation is made of, whatever it is about.

A form names its permission and performs by calling an action, which checks, acts and audits. A
page of its own asks; when it is posted, it acts, or says why not and what to do instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from dboshub.workflows.actions.audit import ActionRefusedError, Actor, NotPermittedError, actor_of
from dboshub.workflows.rendering.page_templates import render

NOT_PERMITTED, CONFLICT, INVALID = 403, 409, 422
LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class Done:
    """What to tell the person, and where to go on."""

    message: str
    url: str


class Confirmable(Protocol):
    """What a confirmation asks of its form."""

    @property
    def permission(self) -> str: ...
    def is_valid(self) -> bool: ...
    def perform(self, actor: Actor) -> Done: ...


Asked = TypeVar("Asked", bound=Confirmable)


class ConfirmForm(forms.Form):
    """One action on one thing, with the reason that its audit row keeps."""

    verb: ClassVar[str]
    permission: ClassVar[str]
    title: ClassVar[str]
    consequence: ClassVar[str]
    button: ClassVar[str]
    is_danger: ClassVar[bool] = False

    reason = forms.CharField(
        required=False,
        max_length=LONGEST,
        help_text="Kept in the audit log.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def perform(self, actor: Actor) -> Done:
        """Act. Raises ActionRefusedError."""
        # Not by abc: forms have a metaclass of their own.
        raise NotImplementedError(f"{type(self).__name__} does not say how to act")


def confirmation_page(
    request: HttpRequest,
    template: str,
    form: Confirmable,
    context: Mapping[str, Any],
    *,
    status: int | None = None,
    refusal: ActionRefusedError | None = None,
) -> HttpResponse:
    """The page that asks; without a status of its own it says whether the person may."""
    permitted = request.user.has_perm(form.permission)
    if status is None:
        status = 200 if permitted else NOT_PERMITTED
    shown = {"form": form, "refusal": refusal, "permitted": permitted}
    return render(request, template, {**context, **shown}, status=status)


def submit_confirmed(
    request: HttpRequest, form: Asked, ask_again: Callable[..., HttpResponse]
) -> HttpResponse:
    """Act as a posted form says and go on, or let `ask_again(form, status=…)` say what is wrong."""
    if not form.is_valid():
        permitted = request.user.has_perm(form.permission)
        return ask_again(form, status=INVALID if permitted else NOT_PERMITTED)
    try:
        # Without the permission too: the refusal is decided and audited in one place.
        done = form.perform(actor_of(request))
    except ActionRefusedError as refusal:
        return ask_again(form, status=status_of(refusal), refusal=refusal)
    messages.success(request, done.message)
    return redirect(done.url)


def status_of(refusal: ActionRefusedError) -> int:
    return NOT_PERMITTED if isinstance(refusal, NotPermittedError) else CONFLICT
