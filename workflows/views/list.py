"""The list of workflows: the query string is its state, with scripts and without."""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import urlencode

from django.contrib.auth.decorators import permission_required
from django.core.cache import cache
from django.db import DatabaseError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRedirect, push_url

from workflows.filters import IN_FLIGHT, Criteria, parse
from workflows.htmx import HtmxHttpRequest, page_or_partial
from workflows.live.counts import counts_digest
from workflows.live.rows import row_digest
from workflows.rendering.filterbar import filter_bar
from workflows.rendering.rows import row_cells
from workflows.selectors.counts import Count, counts, older_in_flight
from workflows.selectors.facets import facets
from workflows.selectors.listing import Lister, Page, read_cursor
from workflows.selectors.rows import row
from workflows.selectors.scope import Viewer, viewer_for
from workflows.storage.sql import Session
from workflows.topics import live_topic
from workflows.views.reads import bounded_reading

COUNTS_S = 2
FACETS_S = 60


@require_safe
@permission_required("workflows.view_workflow", raise_exception=True)
@vary_on_headers("HX-Request")
def workflow_list(request: HtmxHttpRequest) -> HttpResponse:
    """One page of the workflows a filter leaves."""
    now = int(time.time() * 1_000)
    criteria = parse(request.GET, now=now)
    viewer = viewer_for(request.user)
    if not request.htmx and "q" not in request.GET and "" in request.GET.dict().values():
        # A plain form also sends its empty fields: the address people share has none.
        return redirect(_address(criteria, {}))
    context: dict[str, object] = {"section": "workflows", "criteria": criteria}
    context |= {"query": criteria.query(), "live_counts": None}
    try:
        with bounded_reading() as session:
            goal = _goal(session, request, criteria, viewer)
            if goal:
                return HttpResponseClientRedirect(goal) if request.htmx else redirect(goal)
            page = _page(session, criteria, viewer, request.GET)
            context |= _above(session, criteria, viewer)
    except DatabaseError as error:
        context["bar"] = filter_bar(criteria, {}, {})
        context["failure"] = str(error).split("\n", 1)[0]
        return render(request, _template(request), context, status=503)
    context |= {
        "page": page,
        "rows": _rows(request, page, criteria, now),
        "live_counts": live_topic(request, "counts", since=now),
        "live_list": live_topic(request, "list", filter=criteria.query(), since=now),
        "older": criteria.query(after=page.older) if page.older else "",
        "newer": criteria.query(before=page.newer) if page.newer else "",
    }
    response = render(request, _template(request), context)
    return push_url(response, _address(criteria, request.GET)) if request.htmx else response


def _goal(
    session: Session, request: HtmxHttpRequest, criteria: Criteria, viewer: Viewer
) -> str | None:
    """The page that a search or a whole id asks for instead of the list."""
    if "q" in request.GET:
        return jump(session, request.GET["q"].strip(), viewer)
    if criteria.id and row(session, criteria.id, viewer=viewer):
        return reverse("workflows:detail", args=[criteria.id])
    return None


def jump(session: Session, wanted: str, viewer: Viewer) -> str:
    """Where a pasted id or a typed word leads: the workflow, its step's workflow, or a list."""
    for candidate in (wanted, wanted.rpartition("-")[0]):
        if candidate and row(session, candidate, viewer=viewer):
            return reverse("workflows:detail", args=[candidate])
    if not wanted:
        return reverse("workflows:list")
    by_id = Lister(session, Criteria(id=wanted), viewer, size=1).first()
    query = {"id": wanted} if by_id.rows else {"name": f"{wanted}*"}
    return f"{reverse('workflows:list')}?{urlencode(query)}"


def _template(request: HtmxHttpRequest) -> str:
    return page_or_partial(request, "workflows/list.html", "listing")


def _page(session: Session, criteria: Criteria, viewer: Viewer, query: Mapping[str, str]) -> Page:
    lister = Lister(session, criteria, viewer)
    before = read_cursor(query.get("before", ""))
    return lister.before(before) if before else lister.after(read_cursor(query.get("after", "")))


def _above(session: Session, criteria: Criteria, viewer: Viewer) -> dict[str, object]:
    """What stands above the rows.

    Counts and suggestions are the same for all viewers of one scope, so they share them.
    """
    scope = "all" if viewer.applications is None else repr(sorted(viewer.applications))
    scope = f"{scope} {viewer.unclaimed}".encode().hex()
    counted = cache.get_or_set(f"counts-{scope}", lambda: counts(session, viewer=viewer), COUNTS_S)
    suggested = cache.get_or_set(
        f"facets-{scope}", lambda: facets(session, viewer=viewer), FACETS_S
    )
    return {
        "bar": filter_bar(criteria, counted or {}, suggested or {}),
        "counts_digest": counts_digest(counted or {}),
        "hidden": _hidden(session, criteria, viewer),
    }


def _hidden(session: Session, criteria: Criteria, viewer: Viewer) -> Count | None:
    """How many in flight began before the span of time shown: last week's stuck run is news."""
    wanted = criteria.statuses or IN_FLIGHT
    if criteria.since is None or not set(wanted) & set(IN_FLIGHT):
        return None
    if any(key not in ("since", "status") for key, _ in criteria.given):
        return None
    return older_in_flight(session, criteria.since, viewer=viewer)


def _rows(
    request: HtmxHttpRequest, page: Page, criteria: Criteria, now: int
) -> list[dict[str, object]]:
    query = criteria.query()
    return [
        {
            "cells": row_cells(each),
            "ticket": live_topic(request, "row", each.workflow_uuid, filter=query, since=now),
            "digest": row_digest(each),
        }
        for each in page.rows
    ]


def _address(criteria: Criteria, query: Mapping[str, str]) -> str:
    places = {key: query[key] for key in ("after", "before") if query.get(key)}
    return f"{reverse('workflows:list')}?{criteria.query(**places)}".rstrip("?")
