"""Health checks: the queries behind the findings of the home page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db.models import Max, Min

from dboshub.home import findings
from dboshub.schedules import selectors as schedules
from dboshub.schedules.engine.records import ACTIVE, Schedule
from dboshub.workflows.models import QueueSample
from dboshub.workflows.models.rollups import HOUR, MINUTE
from dboshub.workflows.rollups.series import failing, ranked
from dboshub.workflows.selectors.executor_overview import executor_overview
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.selectors.workflow_health import (
    MANY_ATTEMPTS,
    failures,
    recovered_repeatedly,
)
from dboshub.workflows.storage.sql import Session

MAX_SCHEDULES = 100
BEFORE_MS = 10 * MINUTE
RIGHTS = {"queues": "dboshub_queues.view_queue", "schedules": "dboshub_schedules.view_schedule"}


def view_rights(user: Any) -> frozenset[str]:
    """The kinds of findings, besides workflows, that a user may see."""
    return frozenset(name for name, permission in RIGHTS.items() if user.has_perm(permission))


def current_problems(
    session: Session,
    viewer: Viewer,
    rights: frozenset[str],
    *,
    waiting: dict[str, int],
    counted: int | None,
    now: int,
) -> list[findings.Group]:
    """The findings that a user may see, most severe first.

    `waiting` has the oldest enqueued workflow of each queue; `counted` is the end of the rollups.
    """
    seen = executor_overview(session, viewer, now=now, published=False)
    found = [
        findings.dead_executors(seen, now),
        findings.stranded_versions(seen),
        findings.recovery_loops(
            recovered_repeatedly(session, viewer) if seen.most_attempts >= MANY_ATTEMPTS else ()
        ),
        _failing(session, viewer, counted, now),
    ]
    if "queues" in rights:
        found.append(_growing(waiting, now, viewer))
    if "schedules" in rights:
        found.append(_missed(session, viewer))
    return [group for group in found if group.findings]


def _failing(session: Session, viewer: Viewer, until: int | None, now: int) -> findings.Group:
    """Failing workflows, from the rollups, or else among the newest ended workflows."""
    found, note = None, ""
    if until is not None and until > now - HOUR:
        found = failing(until, viewer)
    if found is None:
        until, note = now, "among the newest 20,000 that ended"
        rows = failures(session, viewer, since=until - 2 * HOUR, hour=until - HOUR)
        found = ranked((name or "", bool(is_now), number) for name, is_now, number in rows)
    assert until is not None
    return findings.failing_workflows(found, since=until - HOUR, until=until, note=note)


def _growing(oldest: dict[str, int], now: int, viewer: Viewer) -> findings.Group:
    """Lagging queues, compared with samples of ten minutes ago. Samples have no application."""
    samples = QueueSample.objects.filter(
        width=MINUTE, at__gte=now - BEFORE_MS - 2 * MINUTE, at__lt=now - BEFORE_MS + 2 * MINUTE
    )
    if viewer.applications is not None:
        samples = samples.none()
    before = dict(
        samples.filter(queue__in=[*oldest]).values_list("queue").annotate(Max("oldest_ms"))
    )
    is_known = QueueSample.objects.filter(width=MINUTE).aggregate(first=Min("at"))["first"]
    return findings.lagging_queues(
        oldest, before, now, is_known=is_known is not None and is_known < now - BEFORE_MS
    )


def _missed(session: Session, viewer: Viewer) -> findings.Group:
    now, after = datetime.now(UTC), ""
    active: list[Schedule] = []
    while len(active) < MAX_SCHEDULES:
        page = schedules.page(session, viewer, after=after, status=ACTIVE)
        active += page.schedules
        after = page.after
        if not after:
            break
    shown = findings.ticks_of(active, now)
    runs = schedules.runs(session, [each for one in shown for each in one.ids], viewer)
    return findings.missed_runs(shown, runs, now)
