"""Executors and versions: who runs workflows, what each version still holds, acting on both."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from dboshub.workflows.confirming import carry_out, confirm_page
from dboshub.workflows.executor_forms import FORMS, SteerForm
from dboshub.workflows.live.fleet import fleet_facts
from dboshub.workflows.live.source import digest
from dboshub.workflows.rendering.processes import show
from dboshub.workflows.selectors.fleet import fleet
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.now import database_now
from dboshub.workflows.topics import VIEW, live_topic
from dboshub.workflows.views.reads import bounded_reading


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
        return render(request, "dboshub/executors/list.html", context, status=503)
    context |= {
        "now": now,
        "fleet": found,
        "live_page": live_topic(request, "fleet"),
        "live_digest": digest(fleet_facts(found)),
        "live_beats": live_topic(request, "beats"),
        "live": [show(each) for each in found.of(live=True)],
        "ended": found.of(live=False),
        "may": [verb for verb, form in FORMS.items() if request.user.has_perm(form.permission)],
    }
    return render(request, "dboshub/executors/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(VIEW, raise_exception=True)
def act(request: HttpRequest, verb: str, target: str) -> HttpResponse:
    """Ask for confirmation; when it is posted, act, or say why not and what to do instead."""
    if verb not in FORMS:
        raise Http404(f"no action {verb}")
    ask = partial(_ask, request)
    if request.method != "POST":
        return ask(FORMS[verb](target, initial={"application": request.GET.get("app", "")}))
    return carry_out(request, FORMS[verb](target, request.POST), ask)


def _ask(request: HttpRequest, form: SteerForm, **how: Any) -> HttpResponse:
    return confirm_page(
        request, "dboshub/executors/confirm.html", form, {"section": "executors"}, **how
    )
