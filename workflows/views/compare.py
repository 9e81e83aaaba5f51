"""Pages that compare two workflows. The whole state is in the query string: `a`, `b`, a place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from dboshub.workflows.actions.audit import actor_of
from dboshub.workflows.actions.payload_audit import record_payload_view
from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.live.comparison import pair_digest, pair_filter
from dboshub.workflows.live.subscriptions import subscription_for
from dboshub.workflows.permissions import VIEW_WORKFLOW
from dboshub.workflows.rendering.comparison.sections import comparison
from dboshub.workflows.rendering.comparison.values import compared_steps
from dboshub.workflows.rendering.page_templates import render
from dboshub.workflows.rollups.last_success import last_success
from dboshub.workflows.selectors.comparison.last_good import LastGood, last_good, last_good_ended
from dboshub.workflows.selectors.comparison.step_pairs import Place
from dboshub.workflows.selectors.detail import attempts, steps
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.views.htmx import wants_fragment
from dboshub.workflows.views.workflow_required import find_workflow, may_see_payloads, query_int

PAGE = "dboshub/compare/page.html"


@dataclass(frozen=True, slots=True)
class Asked:
    """The ids that were asked for, and the workflows that were found."""

    a: str
    b: str
    left: WorkflowRow | None
    right: WorkflowRow | None

    @classmethod
    def read(cls, session: Session, request: HttpRequest) -> Asked:
        a, b = request.GET.get("a", ""), request.GET.get("b", "")
        return cls(a, b, _find(session, request, a), _find(session, request, b))

    @property
    def missing(self) -> list[str]:
        """The ids of which there is no workflow."""
        pairs = ((self.a, self.left), (self.b, self.right))
        return [given for given, found in pairs if given.strip() and found is None]

    @property
    def query(self) -> str:
        return urlencode({"a": self.a, "b": self.b})


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def compare_page(request: HttpRequest) -> HttpResponse:
    """Two workflows side by side; without `b`, a workflow and the last good one of its name.

    A POST has the rows that were checked on the list, and leads to their comparison.
    """
    if request.method == "POST":
        return _chosen(request)
    context: dict[str, Any] = {"section": "workflows"}
    context |= {key: request.GET.get(key, "") for key in ("a", "b")}
    rows: tuple[WorkflowRow, ...] = ()
    try:
        with bounded_reading() as session:
            asked = Asked.read(session, request)
            context |= {"asked": asked, "missing": asked.missing, "left": asked.left}
            if asked.left is not None and not asked.b.strip():
                good = _last_good(session, request, asked.left)
                if good.row is not None:
                    return redirect(_address(asked.left.pk, good.row.pk))
                context["no_good"] = good
            elif asked.left is not None and asked.left == asked.right:
                context["is_one"] = True
            elif asked.left is not None and asked.right is not None:
                rows = asked.left, asked.right
                context |= _comparison(request, session, *rows)
    except DatabaseError as error:
        context["failure"] = str(error).split("\n", 1)[0]
        return render(request, PAGE, context, status=503)
    return _answer(request, PAGE, context, *rows, status=404 if asked.missing else 200)


@require_safe
@vary_on_headers("HX-Request")
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def compare_step(request: HttpRequest) -> HttpResponse:
    """A step of each workflow: times, failed attempts, and what differs in what they returned."""
    with bounded_reading() as session:
        asked = Asked.read(session, request)
        sides = []
        for row, key in ((asked.left, "left"), (asked.right, "right")):
            number = query_int(request, key)
            step = None if row is None or number is None else steps.one(session, row.pk, number)
            if row is None or step is None:
                raise Http404("no such step")
            sides.append((row, step, attempts.of_step(session, row.pk, step.function_id)))
        (left, one, _), (right, other, _) = sides
        context = {
            "section": "workflows",
            "asked": asked,
            "sides": sides,
            "step": one,
            "other": other,
            "value": compared_steps(session, one, other, payload=may_see_payloads(request)),
        }
    name = "_step.html" if wants_fragment(request) else "step.html"
    return _answer(request, f"dboshub/compare/{name}", context, left, right)


def _comparison(
    request: HttpRequest, session: Session, left: WorkflowRow, right: WorkflowRow
) -> dict[str, Any]:
    place = Place(query_int(request, "left") or 0, query_int(request, "right") or 0)
    live: dict[str, Any] = {}
    if not (left.is_final and right.is_final):
        topic = pair_filter(left, right)
        # Read before the page, so that a change in between is news and not lost.
        live["live_digest"] = pair_digest(session, topic, viewer_for(request.user))
        live["live_page"] = subscription_for(request, "comparison", filter=topic)
    return live | comparison(session, left, right, place, payload=may_see_payloads(request))


def _answer(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    *rows: WorkflowRow,
    status: int = 200,
) -> HttpResponse:
    """A view of payloads is audited for both workflows, and browsers must not store it."""
    response = render(request, template, context, status=status)
    if rows and may_see_payloads(request):
        response["Cache-Control"] = "no-store"
        for row in rows:
            record_payload_view(actor_of(request), "workflow", row.pk)
    return response


def _chosen(request: HttpRequest) -> HttpResponse:
    """To the comparison of the two checked rows; of one with the last good one of its name."""
    ids = request.POST.getlist("ids")
    if len(ids) not in (1, 2):
        messages.warning(request, f"Check two rows to compare them: {len(ids)} are checked.")
        return redirect("dboshub:workflows:compare")
    return redirect(_address(*ids))


def _address(a: str, b: str = "") -> str:
    return f"{reverse('dboshub:workflows:compare')}?{urlencode({'a': a, 'b': b})}"


def _find(session: Session, request: HttpRequest, given: str) -> WorkflowRow | None:
    """The workflow of an id, which may have been copied with spaces around it."""
    if not given.strip():
        return None
    found = find_workflow(session, request, given)
    if found is None and given.strip() != given:
        return find_workflow(session, request, given.strip())
    return found


def _last_good(session: Session, request: HttpRequest, row: WorkflowRow) -> LastGood:
    """The last good run, by a search from the newest on, or else by the counts by minute."""
    viewer = viewer_for(request.user)
    found = last_good(session, row, viewer)
    if found.row is not None or found.searched_to is None or row.name is None:
        return found
    span = last_success(row.name, row.application_name, row.created_at)
    good = None if span is None else last_good_ended(session, row, viewer, *span)
    return LastGood(good, found.searched_to)
