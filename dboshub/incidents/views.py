"""The list of incidents by state, and the page of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from dboshub.home.live import problems_digest
from dboshub.incidents.current import current_incidents, incident_of, rights_of
from dboshub.incidents.incident import KINDS, Incident
from dboshub.queues.selectors.busy_queues import waiting_since
from dboshub.workflows.actions.audit import ActionRefusedError, actor_of, may_act
from dboshub.workflows.actions.payload_audit import record_payload_view
from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.live.subscriptions import subscription_for
from dboshub.workflows.permissions import VIEW_PAYLOAD, VIEW_WORKFLOW
from dboshub.workflows.rendering.page_templates import render
from dboshub.workflows.search.criteria import parse
from dboshub.workflows.selectors.acts import acts_on
from dboshub.workflows.selectors.failures.works import State
from dboshub.workflows.selectors.keyset.pages import Page, WorkflowPager
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.views.confirm import status_of
from dboshub.workflows.views.decide import decide, decision_context

MAX_SHOWN, MAX_ROWS = 200, 20
TABS = {
    State.OPEN: "Open",
    State.ACTED_ON: "Acted on",
    State.IGNORED: "Ignored",
    State.RESOLVED: "Resolved",
}


@require_safe
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def incident_list(request: HttpRequest) -> HttpResponse:
    """The incidents of one state; those of all states are counted."""
    asked = request.GET.get("state", "")
    chosen = next((each for each in State if each == asked), State.OPEN)
    context: dict[str, Any] = {"section": "incidents", "chosen": chosen}
    viewer, rights = viewer_for(request.user), rights_of(request.user)
    try:
        with bounded_reading() as session:
            now = database_now(session)
            found = current_incidents(
                session,
                viewer,
                rights,
                waiting=waiting_since(session, viewer),
                now=now,
                over=True,
            )
    except DatabaseError as error:
        context["failure"] = str(error).split("\n", 1)[0]
        return render(request, "dboshub/incidents/list.html", context, status=503)
    counts = Counter(each.state for each in found)
    shown = [each for each in found if each.state is chosen]
    key = ",".join(sorted(rights))
    context |= {
        "now": now,
        "live_page": subscription_for(request, "wrong", key),
        "live_digest": problems_digest(each for each in found if not each.is_over),
        "incidents": sorted(shown, key=lambda each: -(each.last_at or now))[:MAX_SHOWN],
        "tabs": [(state, word, counts[state], state is chosen) for state, word in TABS.items()],
    }
    return told(request, found, render(request, "dboshub/incidents/list.html", context))


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def incident(request: HttpRequest, kind: str, key: str) -> HttpResponse:
    """One incident: its facts, the workflows that it is about, who acted, and what helps."""
    viewer, rights = viewer_for(request.user), rights_of(request.user)
    context: dict[str, Any] = {"section": "incidents", "kind": KINDS.get(kind), "key": key}
    try:
        with bounded_reading() as session:
            now = database_now(session)
            found = incident_of(session, viewer, rights, kind, key, now)
            rows = _rows(request, session, found, now) if found else None
    except DatabaseError as error:
        context["failure"] = str(error).split("\n", 1)[0]
        return render(request, "dboshub/incidents/incident.html", context, status=503)
    if found is not None and found.url:
        return redirect(found.url)
    if found is not None and request.method == "POST":
        try:
            return decide(request, found.subject_of_decisions)
        except ActionRefusedError as refusal:
            context["refusal"] = refusal
            status = status_of(refusal)
            return render(request, "dboshub/incidents/incident.html", context, status=status)
    context |= {"now": now, "incident": found, "rows": rows}
    if found is not None:
        context |= decision_context(request, found.subject_of_decisions, found.decision)
        context["may_act"] = may_act(request.user, found.kind.permission)
        context["acts"] = acts_on(request.user, found.kind.target, [found.target], found.first_at)
    return render(request, "dboshub/incidents/incident.html", context, status=200 if found else 404)


def told(request: HttpRequest, found: Iterable[Incident], response: HttpResponse) -> HttpResponse:
    """The response; one that names errors is audited, and browsers must not store it."""
    if request.user.has_perm(VIEW_PAYLOAD) and any(each.url for each in found):
        record_payload_view(actor_of(request), "errors", "")
        response["Cache-Control"] = "no-store"
    return response


def _rows(request: HttpRequest, session: Session, found: Incident, now: int) -> Page | None:
    if not found.query:
        return None
    criteria = parse(QueryDict(found.query), now=now, attributes=False)
    return WorkflowPager(session, criteria, viewer_for(request.user), size=MAX_ROWS).first()
