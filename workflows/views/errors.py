"""Pages of errors: failed work in groups, and one group with a button that forks what is open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from dboshub.workflows.actions.audit import (
    ActionRefusedError,
    actor_of,
    may_act,
    refuse_if_read_only,
    require_permission,
)
from dboshub.workflows.actions.incident_actions import Subject
from dboshub.workflows.actions.payload_audit import record_payload_view
from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.bulk.job_actions import create_job
from dboshub.workflows.bulk.verbs import VERBS
from dboshub.workflows.live.errors import newest_failed, only_failed
from dboshub.workflows.live.source import digest
from dboshub.workflows.live.subscriptions import subscription_for
from dboshub.workflows.permissions import VIEW_PAYLOAD, VIEW_WORKFLOW
from dboshub.workflows.rendering.error_groups import (
    FAILURE,
    PARTS,
    Case,
    ErrorGroup,
    cases,
    cause_rows,
    grouped,
)
from dboshub.workflows.rendering.page_templates import render
from dboshub.workflows.search.criteria import Criteria, parse
from dboshub.workflows.selectors.acts import acts_on_workflows
from dboshub.workflows.selectors.failed_runs import failed_runs
from dboshub.workflows.selectors.failures.works import FailedWork, State, failed_works
from dboshub.workflows.selectors.keyset.pages import Page, WorkflowPager, read_cursor
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.views.confirm import status_of
from dboshub.workflows.views.decide import decide, decision_context

# Failed runs that are read, the newest first.
MAX_RUNS = 500
MAX_SHOWN = 50
SPANS = (("1h", "1 h"), ("24h", "24 h"), ("7d", "7 d"), ("", "Any time"))
FORK = "fork_from_failure"


@dataclass(frozen=True, slots=True)
class FailedRuns:
    """A page of failed runs in groups."""

    criteria: Criteria
    page: Page
    works: list[FailedWork]
    groups: list[ErrorGroup]
    now: int

    def group(self, given: Mapping[str, str]) -> ErrorGroup | None:
        """The first group that a query string names."""
        return next((each for each in self.groups if each.is_named(given)), None)


@require_safe
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def error_list(request: HttpRequest) -> HttpResponse:
    """The groups among the newest failed runs of a filter of the list."""
    context: dict[str, Any] = {"section": "errors", "looked": MAX_RUNS}
    try:
        seen = _read(request)
    except DatabaseError as error:
        context["failure"] = str(error).split("\n", 1)[0]
        return render(request, "dboshub/errors/list.html", context, status=503)
    query = _query(request, seen.criteria)
    context |= _shared(request, seen) | {
        "groups": [(each, each.query(query)) for each in seen.groups[:MAX_SHOWN]],
        "more": len(seen.groups) - MAX_SHOWN,
        "spans": [
            (seen.criteria.query(since=span), word, _asked(seen.criteria, "since") == span)
            for span, word in SPANS
        ],
        "older": seen.criteria.query(after=seen.page.older) if seen.page.older else "",
        "first": seen.criteria.query(),
        "is_first": seen.page.is_first,
    }
    return _answer(request, "dboshub/errors/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def error_group(request: HttpRequest) -> HttpResponse:
    """One group: its error, times, versions and runs.

    A POST decides about it, or collects what is open for a fork.
    """
    seen = _read(request)
    group = seen.group(request.GET)
    if request.method != "POST" or (group is None and "do" in request.POST):
        return _show_group(request, seen, group)
    actor, targets = actor_of(request), [case.work.target for case in group.open] if group else []
    try:
        if group is not None and "do" in request.POST:
            return decide(request, _subject(group))
        if not targets:
            refuse_if_read_only(actor, "bulk_freeze", "bulk", FORK)
            require_permission(actor, VERBS[FORK].permission, "bulk_freeze", "bulk", FORK)
            messages.success(request, "Nothing of this error is open any more.")
            return redirect(request.get_full_path())
        # Chosen just now: what was forked before and is open is to be forked again.
        query = _query(request, seen.criteria)
        job = create_job(actor, FORK, query=query, ids=targets, again=True)
    except ActionRefusedError as refusal:
        return _show_group(request, seen, None, refusal=refusal)
    return redirect("dboshub:workflows:bulk", job.pk)


def _show_group(
    request: HttpRequest,
    seen: FailedRuns,
    group: ErrorGroup | None,
    *,
    refusal: ActionRefusedError | None = None,
) -> HttpResponse:
    """The page of a group; that of a refusal shows nothing else."""
    context = _shared(request, seen) | {
        "section": "errors",
        "looked": MAX_RUNS,
        "group": group,
        "refusal": refusal,
    }
    if group is not None:
        context["may_fork"] = may_act(request.user, VERBS[FORK].permission)
        context["shown"] = _shown(group)
        context |= decision_context(request, _subject(group), group.decision)
        ids = [row.pk for row in group.runs]
        context["acts"] = acts_on_workflows(request.user, ids, group.first_at)
    status = status_of(refusal) if refusal else 200 if group else 404
    return _answer(request, "dboshub/errors/group.html", context, status=status)


def _shown(group: ErrorGroup) -> list[tuple[Case, State]]:
    """The cases with their states, open ones first."""
    states = [*State]
    found = [(case, group.state_of(case)) for case in group.cases]
    return sorted(found, key=lambda each: states.index(each[1]))[:MAX_SHOWN]


def _subject(group: ErrorGroup) -> Subject:
    versions = tuple(version for version, _ in group.versions)
    return Subject(FAILURE, group.key, group.application, versions)


def _read(request: HttpRequest) -> FailedRuns:
    payload = request.user.has_perm(VIEW_PAYLOAD)
    viewer = viewer_for(request.user)
    with bounded_reading() as session:
        now = database_now(session)
        criteria = parse(request.GET, now=now, attributes=payload, besides=PARTS)
        cursor = read_cursor(request.GET.get("after", ""))
        page = WorkflowPager(session, only_failed(criteria), viewer, size=MAX_RUNS).after(cursor)
        works = failed_works(session, page.rows, viewer=viewer)
        read = failed_runs(session, cause_rows(works), payload=payload)
    groups = grouped(cases(works, read, payload=payload), now)
    return FailedRuns(criteria, page, works, groups, now)


def _shared(request: HttpRequest, seen: FailedRuns) -> dict[str, Any]:
    # The topic does not read attributes, because they are payload.
    subscription = subscription_for(request, "errors", filter=seen.criteria.query())
    return {
        "live_page": None if seen.criteria.attributes or not seen.page.is_first else subscription,
        "live_digest": digest(newest_failed(seen.page.rows, seen.works)),
        "now": seen.now,
        "page": seen.page,
        "criteria": seen.criteria,
        "query": _query(request, seen.criteria),
        "sees_payloads": request.user.has_perm(VIEW_PAYLOAD),
    }


def _answer(
    request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """Classes and messages are payload: the view is audited, and browsers must not store it."""
    response = render(request, template, context, status=status)
    if context["sees_payloads"] and (context.get("groups") or context.get("group")):
        record_payload_view(actor_of(request), "errors", context["query"])
        response["Cache-Control"] = "no-store"
    return response


def _query(request: HttpRequest, criteria: Criteria) -> str:
    """The query string of the filter and the page."""
    return criteria.query(after=request.GET.get("after", ""))


def _asked(criteria: Criteria, key: str) -> str:
    return dict(criteria.given).get(key, "")
