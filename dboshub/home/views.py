"""Home: what is wrong now, what is in flight, and how things went over a span of time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import permission_required
from django.db import DatabaseError
from django.db.models import Max, Min
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dboshub.home import charts, findings
from queues.selectors.busy import waiting_since
from schedules import selectors as schedules
from schedules.engine.records import ACTIVE, Schedule
from workflows.language import exactly
from workflows.live.counts import counts_digest
from workflows.models import QueueSample
from workflows.models.rollups import HOUR, MINUTE
from workflows.rollups.series import Stretch, counted_to, failing, ranked, series
from workflows.selectors.counts import counts
from workflows.selectors.fleet import fleet
from workflows.selectors.scope import Viewer, viewer_for
from workflows.selectors.trouble import failures, looping, oldest_running
from workflows.statuses import LOOKS
from workflows.storage.now import database_now
from workflows.storage.sql import Session
from workflows.topics import VIEW, live_topic
from workflows.views.reads import bounded_reading

VIEW_QUEUE, VIEW_SCHEDULE = "queues.view_queue", "schedules.view_schedule"
DAY = 24 * HOUR
# A span of time, and how much of it is one bar.
SPANS = {
    "1h": (HOUR, MINUTE, "1 h"),
    "6h": (6 * HOUR, 5 * MINUTE, "6 h"),
    "24h": (DAY, 15 * MINUTE, "24 h"),
    "7d": (7 * DAY, 2 * HOUR, "7 d"),
    "30d": (30 * DAY, 6 * HOUR, "30 d"),
}
SCHEDULES = 100
BEFORE_MS = 10 * MINUTE
LONGEST = 1_000


@require_safe
@permission_required(VIEW, raise_exception=True)
def home(request: HttpRequest) -> HttpResponse:
    """Everything is read by bounded statements; the query string chooses the charts."""
    viewer = viewer_for(request.user)
    context: dict[str, Any] = {"section": "home"}
    try:
        with bounded_reading() as session:
            now = database_now(session)
            waiting = waiting_since(session, viewer)
            groups = _groups(request, session, viewer, waiting, now)
            context |= {"now": now, "groups": groups}
            context |= _in_flight(request, session, viewer, waiting)
    except DatabaseError as error:
        context["failure"] = str(error).split("\n", 1)[0]
        return render(request, "home/home.html", context, status=503)
    return render(request, "home/home.html", context | _charts(request, viewer, now))


def _groups(
    request: HttpRequest, session: Session, viewer: Viewer, waiting: dict[str, int], now: int
) -> list[findings.Group]:
    """What is wrong, the gravest first; of what the person may not see, nothing."""
    seen = fleet(session, viewer, now=now)
    found = [
        findings.dead(seen, now),
        findings.stranded(seen),
        findings.loops(looping(session, viewer)),
        _failing(session, viewer, now),
    ]
    if request.user.has_perm(VIEW_QUEUE):
        found.append(_growing(waiting, now, viewer))
    if request.user.has_perm(VIEW_SCHEDULE):
        found.append(_missed(session, viewer))
    return [group for group in found if group.findings]


def _failing(session: Session, viewer: Viewer, now: int) -> findings.Group:
    """From what was counted by minute; else among the newest that ended."""
    until, note = counted_to(), ""
    found = None
    if until is not None and until > now - HOUR:
        found = failing(until, viewer)
    if found is None:
        until, note = now, "among the newest 20,000 that ended"
        rows = failures(session, viewer, since=until - 2 * HOUR, hour=until - HOUR)
        found = ranked((name or "", bool(is_now), number) for name, is_now, number in rows)
    assert until is not None
    return findings.failing(found, since=until - HOUR, until=until, note=note)


def _growing(oldest: dict[str, int], now: int, viewer: Viewer) -> findings.Group:
    """Queues against their samples of ten minutes ago, which are not kept by application."""
    samples = QueueSample.objects.filter(
        width=MINUTE, at__gte=now - BEFORE_MS - 2 * MINUTE, at__lt=now - BEFORE_MS + 2 * MINUTE
    )
    if viewer.applications is not None:
        samples = samples.none()
    before = dict(
        samples.filter(queue__in=[*oldest]).values_list("queue").annotate(Max("oldest_ms"))
    )
    is_known = QueueSample.objects.filter(width=MINUTE).aggregate(first=Min("at"))["first"]
    return findings.growing(
        oldest, before, now, is_known=is_known is not None and is_known < now - BEFORE_MS
    )


def _missed(session: Session, viewer: Viewer) -> findings.Group:
    now, after = datetime.now(UTC), ""
    active: list[Schedule] = []
    while len(active) < SCHEDULES:
        page = schedules.page(session, viewer, after=after, status=ACTIVE)
        active += page.schedules
        after = page.after
        if not after:
            break
    shown = findings.ticks_of(active, now)
    runs = schedules.runs(session, [each for one in shown for each in one.ids], viewer)
    return findings.missed(shown, runs, now)


def _in_flight(
    request: HttpRequest, session: Session, viewer: Viewer, waiting: dict[str, int]
) -> dict[str, Any]:
    """How many have which status, and what has been running and waiting longest."""
    counted = counts(session, viewer=viewer)
    return {
        "pills": [(LOOKS[token], count) for token, count in counted.items()],
        "live_counts": live_topic(request, "counts"),
        "counts_digest": counts_digest(counted),
        "oldest": oldest_running(session, viewer),
        "longest": min(waiting.items(), key=lambda each: each[1], default=None),
    }


def _charts(request: HttpRequest, viewer: Viewer, now: int) -> dict[str, Any]:
    span = request.GET.get("span", "")
    span = span if span in SPANS else "24h"
    name = request.GET.get("name", "").replace("\x00", "")[:LONGEST]
    length, step, _ = SPANS[span]
    until = counted_to()
    context: dict[str, Any] = {
        "name": name,
        "span": span,
        "spans": [
            (f"?{urlencode({'span': key} | ({'name': name} if name else {}))}", word, key == span)
            for key, (_, _, word) in SPANS.items()
        ],
    }
    if until is None:
        return context
    # Where nobody counts any more, the gap is part of the picture.
    edge = until if now - until < BEFORE_MS else now // MINUTE * MINUTE
    found = series(edge - length, edge, step, viewer, name=name)

    def link(stretch: Stretch, **more: object) -> str:
        span = {"by": "completed", "since": stretch.at, "until": stretch.until}
        return findings.workflows(**span, **({"name": exactly(name)} if name else {}), **more)

    def failed(stretch: Stretch) -> str:
        return link(stretch, status=findings.FAILED)

    return context | {
        "charts": [
            charts.throughput(found, link),
            charts.failure_rate(found, failed),
            charts.durations(found, link),
        ],
        "labels": charts.labels(found),
        "table": [
            (each, link(each), charts.percentiles(each).values())
            for each in reversed(found)
            if each.ended or each.tally.outcomes["created"]
        ],
    }
