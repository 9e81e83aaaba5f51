"""Confirmation pages: ask before an action, perform it when the form is posted.

A refused action shows the page again, with the reason and what to do instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from dboshub.workflows.actions.audit import (
    ActionRefusedError,
    NotPermittedError,
    ReadOnlyError,
    actor_of,
    may_act,
)
from dboshub.workflows.forms.confirm_form import Confirmable
from dboshub.workflows.rendering.page_templates import render

NOT_PERMITTED, CONFLICT, INVALID = 403, 409, 422

FormT = TypeVar("FormT", bound=Confirmable)


def confirmation_page(
    request: HttpRequest,
    template: str,
    form: Confirmable,
    context: Mapping[str, Any],
    *,
    status: int | None = None,
    refusal: ActionRefusedError | None = None,
) -> HttpResponse:
    """The page with the form; without `status` it answers 200, or 403 if the user may not act."""
    permitted = may_act(request.user, form.permission)
    if status is None:
        status = 200 if permitted else NOT_PERMITTED
    shown = {"form": form, "refusal": refusal, "permitted": permitted}
    return render(request, template, {**context, **shown}, status=status)


def submit_confirmed(
    request: HttpRequest, form: FormT, ask_again: Callable[..., HttpResponse]
) -> HttpResponse:
    """Perform a posted form and redirect, or answer what `ask_again(form, status=…)` returns."""
    if not form.is_valid():
        permitted = may_act(request.user, form.permission)
        return ask_again(form, status=INVALID if permitted else NOT_PERMITTED)
    try:
        # Called without the permission, too: the action refuses, and audits the refusal.
        done = form.perform(actor_of(request))
    except ActionRefusedError as refusal:
        return ask_again(form, status=status_of(refusal), refusal=refusal)
    messages.success(request, done.message)
    return redirect(done.url)


def status_of(refusal: ActionRefusedError) -> int:
    """The HTTP status of a page that shows a refusal."""
    is_forbidden = isinstance(refusal, NotPermittedError | ReadOnlyError)
    return NOT_PERMITTED if is_forbidden else CONFLICT
