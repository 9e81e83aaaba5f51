"""What the search box leads to and suggests, and the columns a person keeps."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib.auth.decorators import permission_required
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.permissions import VIEW_WORKFLOW
from dboshub.workflows.rendering.listing.columns import COOKIE, written
from dboshub.workflows.rendering.listing.completions import complete
from dboshub.workflows.rollups.totals import names
from dboshub.workflows.search.criteria import Criteria
from dboshub.workflows.selectors.facets import MOST_VALUES, facets
from dboshub.workflows.selectors.keyset.pages import WorkflowPager
from dboshub.workflows.selectors.rows import row
from dboshub.workflows.selectors.scope import Viewer, viewer_for
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.views.preferences import remember

FACETS_S = 60


def workflow_by_whole_id(
    session: Session, query: QueryDict, criteria: Criteria, viewer: Viewer
) -> str | None:
    """The workflow that is asked for by its whole id, or by that of one of its steps."""
    pasted = "" if query.get("and") else query.get("q", "").strip()
    for wanted in (criteria.id, pasted, pasted.rpartition("-")[0]):
        if wanted and "\x00" not in wanted and row(session, wanted, viewer=viewer):
            return wanted
    return None


def resolve(session: Session, criteria: Criteria, viewer: Viewer) -> Criteria:
    """Let bare words mean ids that begin so if there are any, and else names."""
    words = criteria.words
    if not words:
        return criteria
    by_id = WorkflowPager(
        session, Criteria(texts=(("id", words),), internal=True), viewer, size=1
    ).first()
    return (
        criteria.narrowed_by("id", words)
        if by_id.rows
        else criteria.narrowed_by("name", f"{words}*")
    )


def typed(query: Mapping[str, str], criteria: Criteria) -> str:
    """What the box shows: the filter, or what was typed if part of that is not understood."""
    return query.get("q", "").strip() or criteria.box if criteria.problems else criteria.box


def known_values(session: Session, viewer: Viewer) -> dict[str, list[str]]:
    """Values to suggest by key, looked up at most once a minute."""
    found = cache.get_or_set(f"facets-{viewer.key}", lambda: _known(session, viewer), FACETS_S)
    return found or {}


def _known(session: Session, viewer: Viewer) -> dict[str, list[str]]:
    """What the newest rows hold, and of names those that were counted earlier."""
    found = facets(session, viewer=viewer)
    return found | {"name": sorted({*found["name"], *names(viewer)})[:MOST_VALUES]}


@require_safe
@never_cache
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def suggest(request: HttpRequest) -> JsonResponse:
    """How the text before the caret may go on: keys, then values that the newest rows hold."""
    with bounded_reading() as session:
        known = known_values(session, viewer_for(request.user))
    return JsonResponse({"options": complete(request.GET.get("text", ""), known)})


@require_POST
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def save_columns(request: HttpRequest) -> HttpResponse:
    """Remember which columns a person wants, and go back to their list."""
    query = QueryDict(request.POST.get("query", ""), mutable=True)
    query.pop("columns", None)
    response = redirect(f"{reverse('dboshub:workflows:list')}?{query.urlencode()}".rstrip("?"))
    remember(request, response, COOKIE, written(request.POST.getlist("column")))
    return response
