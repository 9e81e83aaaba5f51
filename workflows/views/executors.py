"""Executors and versions: who runs workflows, what each version still holds, acting on both."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from workflows.audit import ActionRefusedError, NotPermittedError, actor_of
from workflows.executor_forms import FORMS, SteerForm
from workflows.rendering.processes import show
from workflows.selectors.fleet import fleet
from workflows.selectors.scope import viewer_for
from workflows.storage.now import database_now
from workflows.topics import VIEW
from workflows.views.reads import bounded_reading

NOT_PERMITTED, CONFLICT, INVALID = 403, 409, 422


@require_safe
@permission_required(VIEW, raise_exception=True)
def fleet_page(request: HttpRequest) -> HttpResponse:
    """All processes and versions on one page: the table of neither grows long."""
    context: dict[str, Any] = {"section": "executors"}
    try:
        with bounded_reading() as session:
            now = database_now(session)
            found = fleet(session, viewer_for(request.user), now=now)
    except DatabaseError as error:
        context["failure"] = str(error).split("\n", 1)[0]
        return render(request, "executors/list.html", context, status=503)
    context |= {
        "now": now,
        "fleet": found,
        "live": [show(each) for each in found.of(live=True)],
        "ended": found.of(live=False),
        "may": [verb for verb, form in FORMS.items() if request.user.has_perm(form.permission)],
    }
    return render(request, "executors/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(VIEW, raise_exception=True)
def act(request: HttpRequest, verb: str, target: str) -> HttpResponse:
    """Ask for confirmation; when it is posted, act, or say why not and what to do instead."""
    if verb not in FORMS:
        raise Http404(f"no action {verb}")
    if request.method != "POST":
        form = FORMS[verb](target, initial={"application": request.GET.get("app", "")})
        permitted = request.user.has_perm(form.permission)
        return _confirm(request, form, status=200 if permitted else NOT_PERMITTED)
    form = FORMS[verb](target, request.POST)
    if not form.is_valid():
        return _confirm(request, form, status=INVALID)
    try:
        # Without the permission too: the refusal is decided and audited in one place.
        done = form.perform(actor_of(request))
    except NotPermittedError as refusal:
        return _confirm(request, form, status=NOT_PERMITTED, refusal=refusal)
    except ActionRefusedError as refusal:
        return _confirm(request, form, status=CONFLICT, refusal=refusal)
    messages.success(request, done.message)
    return redirect(done.url)


def _confirm(
    request: HttpRequest,
    form: SteerForm,
    *,
    status: int,
    refusal: ActionRefusedError | None = None,
) -> HttpResponse:
    context = {
        "section": "executors",
        "form": form,
        "refusal": refusal,
        "permitted": request.user.has_perm(form.permission),
    }
    return render(request, "executors/confirm.html", context, status=status)
