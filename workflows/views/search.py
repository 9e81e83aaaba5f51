"""The filter of the list: what its words stand for, and completions."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, JsonResponse, QueryDict
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.page_cache import page_cache
from dboshub.workflows.permissions import VIEW_WORKFLOW
from dboshub.workflows.rendering.listing.completions import complete
from dboshub.workflows.rollups.totals import names
from dboshub.workflows.search.criteria import Criteria
from dboshub.workflows.selectors.facets import MAX_VALUES, facets
from dboshub.workflows.selectors.keyset.pages import WorkflowPager
from dboshub.workflows.selectors.rows import row
from dboshub.workflows.selectors.scope import Viewer, viewer_for
from dboshub.workflows.storage.sql import Session

FACETS_S = 60


def workflow_by_whole_id(
    session: Session, query: QueryDict, criteria: Criteria, viewer: Viewer
) -> str | None:
    """The id of a workflow whose whole id, or the id of one of its steps, is searched for."""
    pasted = "" if query.get("and") else query.get("q", "").strip()
    for wanted in (criteria.id, pasted, pasted.rpartition("-")[0]):
        if wanted and "\x00" not in wanted and row(session, wanted, viewer=viewer):
            return wanted
    return None


def resolve(session: Session, criteria: Criteria, viewer: Viewer) -> Criteria:
    """Turn bare words into a prefix of ids, else of known names, else into a fragment of ids."""
    words = criteria.words
    if not words or criteria.problems:
        return criteria
    # A value that begins with "!" is a negation.
    if not words.startswith("!") and _begins_an_id(session, words, viewer):
        return criteria.narrowed_by("id", words)
    if any(name.startswith(words) for name in known_values(session, viewer)["name"]):
        return criteria.narrowed_by("name", f"{words}*")
    return criteria.narrowed_by("id", f"*{words}*")


def _begins_an_id(session: Session, words: str, viewer: Viewer) -> bool:
    criteria = Criteria(texts=(("id", words),), internal=True)
    return bool(WorkflowPager(session, criteria, viewer, size=1).first().rows)


def typed(query: Mapping[str, str], criteria: Criteria) -> str:
    """The text of the search box: the filter, or the typed text if it has problems."""
    return query.get("q", "").strip() or criteria.box if criteria.problems else criteria.box


def known_values(session: Session, viewer: Viewer) -> dict[str, list[str]]:
    """Values to suggest by key, cached for FACETS_S."""
    found = page_cache().get_or_set(
        f"facets-{viewer.key}", lambda: _known(session, viewer), FACETS_S
    )
    return found or {}


def _known(session: Session, viewer: Viewer) -> dict[str, list[str]]:
    """The values of the newest rows, and the names in the rollups."""
    found = facets(session, viewer=viewer)
    return found | {"name": sorted({*found["name"], *names(viewer)})[:MAX_VALUES]}


@require_safe
@never_cache
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def suggest(request: HttpRequest) -> JsonResponse:
    """Completions of the text before the caret, as JSON."""
    with bounded_reading() as session:
        known = known_values(session, viewer_for(request.user))
    return JsonResponse({"options": complete(request.GET.get("text", ""), known)})
