"""The list of workflows. Its whole state is in the query string."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

from django.contrib.auth.decorators import permission_required
from django.db import DatabaseError
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRedirect, push_url

from dboshub.workflows.actions.audit import actor_of
from dboshub.workflows.actions.payload_audit import record_payload_view
from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.live.counts import counts_digest
from dboshub.workflows.live.subscriptions import subscription_for
from dboshub.workflows.permissions import VIEW_PAYLOAD, VIEW_WORKFLOW
from dboshub.workflows.rendering.listing.filter_bar import filter_bar
from dboshub.workflows.rendering.page_templates import render
from dboshub.workflows.rollups.totals import shared_counts
from dboshub.workflows.search.corrections import corrections
from dboshub.workflows.search.criteria import Criteria
from dboshub.workflows.search.terms import SEARCH_BOX_KEYS
from dboshub.workflows.selectors.counts import Count, in_flight_of, older_in_flight
from dboshub.workflows.selectors.keyset.matching_count import matching
from dboshub.workflows.selectors.keyset.pages import Page
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.statuses import IN_FLIGHT
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.views.htmx import HtmxHttpRequest, page_or_fragment, wants_fragment
from dboshub.workflows.views.list_part import ListRequest, Shown, read_part
from dboshub.workflows.views.search import known_values, resolve, typed, workflow_by_whole_id


@require_safe
@permission_required(VIEW_WORKFLOW, raise_exception=True)
@vary_on_headers("HX-Request")
def workflow_list(request: HtmxHttpRequest) -> HttpResponse:
    """One page of the workflows that match the filter."""
    asked = ListRequest.of(request)
    context: dict[str, object] = {"section": "workflows", "live_counts": None}
    try:
        with bounded_reading() as session:
            found = workflow_by_whole_id(session, request.GET, asked.criteria, asked.viewer)
            if found:
                goal = reverse("dboshub:workflows:detail", args=[found])
                return HttpResponseClientRedirect(goal) if request.htmx else redirect(goal)
            asked = replace(asked, criteria=resolve(session, asked.criteria, asked.viewer))
            if not request.htmx and _needs_canonical_url(request.GET, asked.criteria):
                return redirect(_address(asked.criteria.query()))
            context |= _shown(session, asked)
            context |= _filter_bar_context(session, asked.criteria, asked.viewer)
    except DatabaseError as error:
        context["bar"] = filter_bar(asked.criteria, {}, {})
        context["failure"] = str(error).split("\n", 1)[0]
    context["box"] = typed(request.GET, asked.criteria)
    if asked.criteria.problems:
        payload = request.user.has_perm(VIEW_PAYLOAD)
        context["corrections"] = corrections(request.GET, attributes=payload)
    context |= asked.context
    template = page_or_fragment(
        request, "dboshub/workflows/list.html", "dboshub/workflows/list/_listing.html"
    )
    if "failure" in context:
        return render(request, template, context, status=503)
    response = _audited(asked, render(request, template, context))
    return push_url(response, _clean_address(asked)) if request.htmx else response


@require_safe
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def next_part(request: HtmxHttpRequest) -> HttpResponse:
    """The next part of a page whose search took too long to fill it, for htmx."""
    asked = ListRequest.of(request)
    if not wants_fragment(request):
        return redirect(_address(asked.query(after=request.GET.get("after"))))
    try:
        with bounded_reading() as session:
            context = read_part(session, asked, Shown.read(request.GET))
    except DatabaseError:
        # The page stays as it is, with the link to continue.
        return HttpResponse(status=503)
    part = render(request, "dboshub/workflows/list/_part.html", context | asked.context)
    return _audited(asked, part)


def _audited(asked: ListRequest, response: HttpResponse) -> HttpResponse:
    """The response; one with values of workflows is audited, and browsers must not store it."""
    if asked.values:
        record_payload_view(actor_of(asked.request), "list", "")
        response["Cache-Control"] = "no-store"
    return response


def _needs_canonical_url(query: Mapping[str, str], criteria: Criteria) -> bool:
    """Whether the query string has a search box that was understood, or empty fields."""
    is_typed = any(key in query for key in SEARCH_BOX_KEYS)
    return not criteria.problems and (is_typed or "" in dict(query.items()).values())


def _shown(session: Session, asked: ListRequest) -> dict[str, object]:
    """The rows, the links to other pages, and the subscriptions."""
    criteria, since = asked.criteria, asked.now
    context = read_part(session, asked, Shown(asked.request.GET.get("after", "")))
    if context["counts_lazily"] and asked.request.GET.get("count"):
        context |= {"counts_lazily": False, "matching": matching(session, criteria, asked.viewer)}
    return context | {
        "live_counts": subscription_for(asked.request, "counts", since=since),
        # No live updates for filters on attributes: rows do not contain them.
        "live_list": None if criteria.attributes or criteria.problems else asked.topic("list"),
        "waiting": _waiting(session, context["page"], criteria, asked.viewer),
        "waiting_query": criteria.query(status="in_flight"),
    }


def _waiting(session: Session, page: Page, criteria: Criteria, viewer: Viewer) -> Count | None:
    """The workflows in flight of the queue, if the search of its list ran out of time."""
    queue = criteria.single_value("queue")
    if queue is None or page.searched_to is None or criteria.statuses:
        return None
    return in_flight_of(session, queue, viewer=viewer)


def _filter_bar_context(session: Session, criteria: Criteria, viewer: Viewer) -> dict[str, object]:
    counted = shared_counts(session, viewer)
    return {
        "bar": filter_bar(criteria, counted, known_values(session, viewer)),
        "counts_digest": counts_digest(counted),
        "hidden": _hidden(session, criteria, viewer),
    }


def _hidden(session: Session, criteria: Criteria, viewer: Viewer) -> Count | None:
    """The number of workflows in flight that are older than the shown time span."""
    wanted = criteria.statuses or IN_FLIGHT
    if criteria.since is None or not set(wanted) & set(IN_FLIGHT):
        return None
    if any(key not in ("since", "status") for key, _ in criteria.given):
        return None
    return older_in_flight(session, criteria.since, viewer=viewer)


def _clean_address(asked: ListRequest) -> str:
    """The address of the list that was asked for, without its search box unless it is wrong."""
    query = asked.request.GET
    if asked.criteria.problems and query.get("q"):
        return _address(urlencode({"q": query["q"]}))
    return _address(asked.query(after=query.get("after"), before=query.get("before")))


def _address(query: str) -> str:
    return f"{reverse('dboshub:workflows:list')}?{query}".rstrip("?")
