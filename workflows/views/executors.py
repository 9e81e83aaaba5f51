"""Pages of executors and application versions, and the actions on them."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods, require_safe

from dboshub.workflows.actions.audit import may_act
from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.forms.executor_forms import FORMS, ExecutorForm
from dboshub.workflows.live.executors import executor_page_facts
from dboshub.workflows.live.source import digest
from dboshub.workflows.live.subscriptions import subscription_for
from dboshub.workflows.permissions import VIEW_WORKFLOW
from dboshub.workflows.rendering.executors import show
from dboshub.workflows.rendering.page_templates import render
from dboshub.workflows.selectors.executor_overview import executor_overview
from dboshub.workflows.selectors.executors import executors
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.views.confirm import confirmation_page, submit_confirmed


@require_safe
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def executor_page(request: HttpRequest) -> HttpResponse:
    """All executors and versions on one page; both lists are bounded."""
    context: dict[str, Any] = {"section": "executors"}
    try:
        with bounded_reading() as session:
            now = database_now(session)
            found = executor_overview(session, viewer_for(request.user), now=now)
    except DatabaseError as error:
        context["failure"] = str(error).split("\n", 1)[0]
        return render(request, "dboshub/executors/list.html", context, status=503)
    context |= {
        "now": now,
        "fleet": found,
        "live_page": subscription_for(request, "fleet"),
        "live_digest": digest(executor_page_facts(found)),
        "live_beats": subscription_for(request, "beats"),
        "live": [show(each) for each in found.of(live=True)],
        "ended": found.of(live=False),
        "may": [verb for verb, form in FORMS.items() if may_act(request.user, form.permission)],
    }
    return render(request, "dboshub/executors/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def act(request: HttpRequest, verb: str, target: str) -> HttpResponse:
    """Show the confirmation, or perform the posted action."""
    if verb not in FORMS:
        raise Http404(f"no action {verb}")
    ask = partial(_ask, request)
    if request.method != "POST":
        return ask(FORMS[verb](target, initial={"application": request.GET.get("app", "")}))
    return submit_confirmed(request, FORMS[verb](target, request.POST), ask)


def _ask(request: HttpRequest, form: ExecutorForm, **how: Any) -> HttpResponse:
    is_unserved = form.verb == "promote" and not _is_running(form.target)
    context = {"section": "executors", "is_unserved": is_unserved}
    return confirmation_page(request, "dboshub/executors/confirm.html", form, context, **how)


def _is_running(version: str) -> bool:
    """Whether a live executor has the version, as far as one is known."""
    with bounded_reading() as session:
        found = executors(session, database_now(session))
    return found is None or any(each.is_beating and each.version == version for each in found)
