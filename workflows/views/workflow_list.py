"""The list of workflows. Its whole state is in the query string."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib.auth.decorators import permission_required
from django.db import DatabaseError
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRedirect, push_url

from dboshub.workflows.actions.audit import may_act
from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.bulk.verbs import VERBS
from dboshub.workflows.live.counts import counts_digest
from dboshub.workflows.live.rows import row_digest
from dboshub.workflows.live.subscriptions import Subscription, subscription_for
from dboshub.workflows.page_cache import page_cache
from dboshub.workflows.permissions import VIEW_PAYLOAD, VIEW_WORKFLOW
from dboshub.workflows.rendering.listing.columns import COOKIE, Column, columns
from dboshub.workflows.rendering.listing.filter_bar import filter_bar
from dboshub.workflows.rendering.listing.row_cells import row_cells
from dboshub.workflows.rendering.page_templates import render
from dboshub.workflows.rollups.totals import all_counts
from dboshub.workflows.search.criteria import Criteria, parse
from dboshub.workflows.search.terms import SEARCH_BOX_KEYS
from dboshub.workflows.selectors.counts import Count, in_flight_of, older_in_flight
from dboshub.workflows.selectors.keyset.pages import Page, WorkflowPager, read_cursor
from dboshub.workflows.selectors.scope import Viewer, viewer_for
from dboshub.workflows.statuses import IN_FLIGHT
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.views.htmx import HtmxHttpRequest, page_or_fragment
from dboshub.workflows.views.search import known_values, resolve, typed, workflow_by_whole_id
from dboshub.workflows.views.tree import ListTree, TreeRow

COUNTS_S = 2


@dataclass(frozen=True, slots=True)
class ListRequest:
    """One request for the list: user, filter, columns, and time (epoch ms)."""

    request: HtmxHttpRequest
    criteria: Criteria
    viewer: Viewer
    columns: Sequence[Column]
    now: int

    def topic(self, kind: str, key: str = "") -> Subscription:
        """A subscription with the filter of the list, without columns and attributes."""
        without = dict.fromkeys((*self.criteria.attributes, "columns"))
        listed = self.criteria.query(**without)
        return subscription_for(self.request, kind, key, filter=listed, since=self.now)

    def unfiltered(self, workflow_id: str) -> Subscription:
        """A subscription to a row without the filter of the list."""
        return subscription_for(self.request, "row", workflow_id, since=self.now)


@require_safe
@permission_required(VIEW_WORKFLOW, raise_exception=True)
@vary_on_headers("HX-Request")
def workflow_list(request: HtmxHttpRequest) -> HttpResponse:
    """One page of the workflows that match the filter."""
    now = int(time.time() * 1_000)
    may_see = request.user.has_perm(VIEW_PAYLOAD)
    criteria = parse(request.GET, now=now, attributes=may_see)
    viewer = viewer_for(request.user)
    shown = columns(criteria.columns, request.COOKIES.get(COOKIE, ""), by=criteria.by)
    context: dict[str, object] = {"section": "workflows", "has_search": True, "live_counts": None}
    try:
        with bounded_reading() as session:
            found = workflow_by_whole_id(session, request.GET, criteria, viewer)
            if found:
                goal = reverse("dboshub:workflows:detail", args=[found])
                return HttpResponseClientRedirect(goal) if request.htmx else redirect(goal)
            criteria = resolve(session, criteria, viewer)
            if not request.htmx and _needs_canonical_url(request.GET) and not criteria.problems:
                # The canonical URL has neither the search box nor empty fields.
                return redirect(_address(criteria, QueryDict()))
            context |= _shown(session, ListRequest(request, criteria, viewer, shown, now))
            context |= _filter_bar_context(session, criteria, viewer)
    except DatabaseError as error:
        context["bar"] = filter_bar(criteria, {}, {})
        context["failure"] = str(error).split("\n", 1)[0]
    context |= {
        "criteria": criteria,
        "query": criteria.query(),
        "box": typed(request.GET, criteria),
        "columns": shown,
        "verbs": [each for each in VERBS.values() if may_act(request.user, each.permission)],
    }
    template = page_or_fragment(
        request, "dboshub/workflows/list.html", "dboshub/workflows/list/_listing.html"
    )
    if "failure" in context:
        return render(request, template, context, status=503)
    response = render(request, template, context)
    return push_url(response, _address(criteria, request.GET)) if request.htmx else response


def _needs_canonical_url(query: Mapping[str, str]) -> bool:
    return any(key in query for key in SEARCH_BOX_KEYS) or "" in dict(query.items()).values()


def _shown(session: Session, list_request: ListRequest) -> dict[str, object]:
    """The rows, the links to other pages, and the subscriptions."""
    criteria = list_request.criteria
    page = _page(session, criteria, list_request.viewer, list_request.request.GET)
    # No live updates for filters on attributes: rows do not contain them.
    news = None if criteria.attributes else list_request.topic("list")
    return {
        "page": page,
        "rows": _rows(session, list_request, page),
        "live_counts": subscription_for(list_request.request, "counts", since=list_request.now),
        "live_list": news,
        "waiting": _waiting(session, page, criteria, list_request.viewer),
        "waiting_query": criteria.query(status="in_flight"),
        "older": criteria.query(after=page.older) if page.older else "",
        "newer": criteria.query(before=page.newer) if page.newer else "",
    }


def _rows(session: Session, list_request: ListRequest, page: Page) -> list[dict[str, object]]:
    shown = [column.key for column in list_request.columns if column.is_shown]
    found: list[dict[str, object]] = []
    for line in _lines(session, list_request, page):
        row, cells = line.row, row_cells(line.row)
        # Children are shown because of their parent, so the filter does not apply to them.
        subscription = (
            list_request.topic("row", row.pk) if not line.depth else list_request.unfiltered(row.pk)
        )
        found.append(
            {
                "id": row.pk,
                "cells": {key: cells[key] for key in shown},
                "subscription": subscription,
                "digest": row_digest(row),
                "line": line,
            }
        )
    return found


def _lines(session: Session, list_request: ListRequest, page: Page) -> Iterable[TreeRow]:
    if not list_request.criteria.top_level:
        return [TreeRow(row) for row in page.rows]
    query = list_request.request.GET
    tree = ListTree.read(
        _query(list_request.criteria, query, unfolded=False), query.getlist("open")
    )
    return tree.lines(session, page.rows, list_request.viewer)


def _waiting(session: Session, page: Page, criteria: Criteria, viewer: Viewer) -> Count | None:
    """The workflows in flight of the queue, if the search of its list ran out of time."""
    queue = criteria.single_value("queue")
    if queue is None or page.searched_to is None or criteria.statuses:
        return None
    return in_flight_of(session, queue, viewer=viewer)


def _page(session: Session, criteria: Criteria, viewer: Viewer, query: Mapping[str, str]) -> Page:
    pager = WorkflowPager(session, criteria, viewer)
    before = read_cursor(query.get("before", ""))
    return pager.before(before) if before else pager.after(read_cursor(query.get("after", "")))


def _filter_bar_context(session: Session, criteria: Criteria, viewer: Viewer) -> dict[str, object]:
    """The filter bar; counts are cached for all viewers of one scope."""
    key = f"counts-{viewer.key}"
    counted = page_cache().get_or_set(key, lambda: all_counts(session, viewer=viewer), COUNTS_S)
    return {
        "bar": filter_bar(criteria, counted or {}, known_values(session, viewer)),
        "counts_digest": counts_digest(counted or {}),
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


def _query(criteria: Criteria, query: QueryDict, *, unfolded: bool = True) -> str:
    """The query string: the filter, the page, and the open parents of a tree."""
    places = {key: query[key] for key in ("after", "before") if query.get(key)}
    opened = query.getlist("open") if unfolded and criteria.top_level else []
    parts = [criteria.query(**places), urlencode([("open", each) for each in opened if each])]
    return "&".join(filter(None, parts))


def _address(criteria: Criteria, query: QueryDict) -> str:
    list_request = _query(criteria, query)
    if criteria.problems and query.get("q"):
        list_request = urlencode({"q": query["q"]})
    return f"{reverse('dboshub:workflows:list')}?{list_request}".rstrip("?")
