"""The page of the search box, and the two parts of it that the box shows while one types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dboshub.global_search.search import Search
from dboshub.global_search.workflow_matches import by_value
from dboshub.workflows.actions.audit import actor_of
from dboshub.workflows.actions.payload_audit import record_payload_view
from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.clock import now_ms
from dboshub.workflows.permissions import VIEW_WORKFLOW
from dboshub.workflows.rendering.page_templates import render
from dboshub.workflows.selectors.row_values import MAX_LENGTH
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.selectors.value_search import ValueSearch
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.views.htmx import wants_fragment
from dboshub.workflows.views.query_text import query_text
from dboshub.workflows.views.search import workflow_by_whole_id

OPTIONS = "dboshub/global_search/_options.html"


@require_safe
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def find(request: HttpRequest) -> HttpResponse:
    """All results of a search. A whole id leads to its workflow; `?after=` looks further back."""
    search, after = _search(request), request.GET.get("after", "")
    context = _context(search)
    try:
        with bounded_reading() as session:
            if not after and search.words:
                viewer = viewer_for(request.user)
                found = workflow_by_whole_id(session, search.query, search.criteria, viewer)
                if found:
                    return redirect(reverse("dboshub:workflows:detail", args=[found]))
            context |= {} if after else _names(session, search)
            if search.finds_values:
                context |= _values(session, search, after)
    except DatabaseError as error:
        context["failure"] = str(error).split("\n", 1)[0]
        return render(request, "dboshub/global_search/find.html", context, status=503)
    return _answer(request, "dboshub/global_search/find.html", context)


@require_safe
@never_cache
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def find_names(request: HttpRequest) -> HttpResponse:
    """The results that indexes and names give, as options of the box."""
    return _part(request, "names", _names)


@require_safe
@never_cache
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def find_values(request: HttpRequest) -> HttpResponse:
    """The workflows with the text in a value, as options of the box."""
    return _part(
        request,
        "values",
        lambda session, search: _values(session, search) if search.finds_values else {},
    )


def _part(
    request: HttpRequest, part: str, read: Callable[[Session, Search], dict[str, Any]]
) -> HttpResponse:
    """A part of the results for the box; without it, the way to the page."""
    search = _search(request)
    if not wants_fragment(request):
        return redirect(_page_of(search))
    context = _context(search) | {"part": part}
    try:
        with bounded_reading() as session:
            context |= read(session, search)
    except DatabaseError as error:
        context["failure"] = str(error).split("\n", 1)[0]
        return render(request, OPTIONS, context, status=503)
    return _answer(request, OPTIONS, context)


def _search(request: HttpRequest) -> Search:
    return Search(request.user, query_text(request, "q"), now_ms())


def _context(search: Search) -> dict[str, Any]:
    return {
        "section": "find",
        "text": search.text,
        "words": search.words,
        "problems": search.criteria.problems if search.text else (),
        "finds_values": search.finds_values,
        "sees_payloads": search.sees_payloads,
        "longest": MAX_LENGTH // 1_024,
        "page": _page_of(search),
    }


def _names(session: Session, search: Search) -> dict[str, Any]:
    """The matches of names and ids, and how far ids were searched."""
    found = search.found(session)
    return {"groups": found.groups, "ids": found.ids}


def _values(session: Session, search: Search, after: str = "") -> dict[str, Any]:
    """The matches in values, and how far they were searched."""
    viewer = viewer_for(search.user)
    walk = ValueSearch(session, viewer, search.words, payload=search.sees_payloads)
    found = walk.run(after)
    return {"values": by_value(found), "searched": found, "is_continued": bool(after)}


def _page_of(search: Search) -> str:
    return f"{reverse('dboshub:find')}?{search.query.urlencode()}"


def _answer(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """The response; one that shows values is audited, and browsers must not store it."""
    response = render(request, template, context)
    if context["sees_payloads"] and context.get("values"):
        record_payload_view(actor_of(request), "search", "")
        response["Cache-Control"] = "no-store"
    return response
