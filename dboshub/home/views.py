"""The home page: open incidents, workflows in flight, and charts of a time span."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import permission_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dboshub.home.chart_table import table_rows
from dboshub.home.live import problems_digest
from dboshub.incidents.current import current_incidents, rights_of
from dboshub.incidents.incident import by_kind, workflows
from dboshub.incidents.views import told
from dboshub.queues.selectors.busy_queues import waiting_since
from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.live.counts import counts_digest
from dboshub.workflows.live.subscriptions import subscription_for
from dboshub.workflows.permissions import VIEW_WORKFLOW
from dboshub.workflows.rendering import charts
from dboshub.workflows.rendering.page_templates import render
from dboshub.workflows.rollups.chart_spans import CHART_SPANS, chosen_span
from dboshub.workflows.rollups.series import (
    counted_from,
    counted_until,
    end_of_charts,
    series,
)
from dboshub.workflows.rollups.totals import shared_counts
from dboshub.workflows.search.parser import exactly
from dboshub.workflows.selectors.failures.works import State
from dboshub.workflows.selectors.scope import Viewer, viewer_for
from dboshub.workflows.selectors.workflow_health import oldest_running
from dboshub.workflows.statuses import FAILED_NOT_CANCELLED, STATUS_STYLES
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.sql import Session

MAX_NAME_LENGTH = 1_000


@require_safe
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def home(request: HttpRequest) -> HttpResponse:
    """The home page; the query string chooses the charts. All statements are bounded."""
    viewer, rights = viewer_for(request.user), rights_of(request.user)
    live_problems = subscription_for(request, "wrong", ",".join(sorted(rights)))
    context: dict[str, Any] = {"section": "home", "live_problems": live_problems}
    try:
        with bounded_reading() as session:
            now, counted = database_now(session), counted_until()
            waiting = waiting_since(session, viewer)
            found = current_incidents(session, viewer, rights, waiting=waiting, now=now)
            context |= {"now": now, "groups": by_kind(found)}
            context |= {"problems_digest": problems_digest(found)}
            context["is_open"] = any(each.state is State.OPEN for each in found)
            context |= _in_flight(request, session, viewer, waiting)
            context |= _charts(request, viewer, counted, now)
    except DatabaseError as error:
        context["failure"] = str(error).split("\n", 1)[0]
        return render(request, "dboshub/home/home.html", context, status=503)
    return told(request, found, render(request, "dboshub/home/home.html", context))


def _in_flight(
    request: HttpRequest, session: Session, viewer: Viewer, waiting: dict[str, int]
) -> dict[str, Any]:
    """The counts by status, the oldest running workflow and the longest waiting queue."""
    counted = shared_counts(session, viewer)
    return {
        "pills": [(STATUS_STYLES[token], count) for token, count in counted.items()],
        "live_counts": subscription_for(request, "counts"),
        "counts_digest": counts_digest(counted),
        "oldest": oldest_running(session, viewer),
        "longest": min(waiting.items(), key=lambda each: each[1], default=None),
    }


def _charts(request: HttpRequest, viewer: Viewer, until: int | None, now: int) -> dict[str, Any]:
    span = chosen_span(request.GET.get("span", ""), counted_from, now)
    name = request.GET.get("name", "").replace("\x00", "")[:MAX_NAME_LENGTH]
    of_name = {"name": name} if name else {}
    context: dict[str, Any] = {
        "name": name,
        "span": span,
        "spans": [
            (f"?{urlencode({'span': each.key} | of_name)}", each.words, each is span)
            for each in CHART_SPANS
        ],
    }
    if until is None:
        return context
    edge = end_of_charts(until, now)
    found = series(edge - span.length, edge, span.step, viewer, name=name)

    about: dict[str, object] = {"by": "completed", **({"name": exactly(name)} if name else {})}
    link = _link_to(workflows(**about))
    failed = _link_to(workflows(**about, status=FAILED_NOT_CANCELLED))
    return context | {
        "charts": [
            charts.throughput(found, link),
            charts.failure_rate(found, failed),
            charts.durations(found, link),
        ],
        "labels": charts.labels(found),
        "table_rows": table_rows(reversed(found), link),
    }


def _link_to(rows: str) -> charts.Link:
    """A function that adds the times of a bucket to the URL of a list."""
    return lambda bucket: f"{rows}&since={bucket.at}&until={bucket.until}"
