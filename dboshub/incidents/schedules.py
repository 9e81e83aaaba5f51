"""Incidents of schedules: runs that were due and did not start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from django.urls import reverse

from dboshub.incidents.incident import KINDS, Incident, Remedy, rows_query
from dboshub.schedules import selectors as schedules
from dboshub.schedules.engine.records import ACTIVE, Schedule
from dboshub.schedules.rendering import ScheduleView, epoch_ms, show, tick_history
from dboshub.workflows.rendering.time_format import relative
from dboshub.workflows.search.parser import exactly
from dboshub.workflows.selectors.failures.works import State
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.storage.sql import Session

MAX_SCHEDULES, MAX_TICKS = 100, 10
# How long a missed run is reported.
MISSED_WITHIN = timedelta(hours=24)


def missed_schedules(session: Session, viewer: Viewer) -> list[Incident]:
    """The first MAX_SCHEDULES active schedules that missed one of their last MAX_TICKS runs."""
    now, after = datetime.now(UTC), ""
    active: list[Schedule] = []
    while len(active) < MAX_SCHEDULES:
        page = schedules.page(session, viewer, after=after, status=ACTIVE)
        active += page.schedules
        after = page.after
        if not after:
            break
    shown = [_last_ticks(show(each, now)) for each in active]
    runs = schedules.runs(session, [each for one in shown for each in one.ids], viewer)
    return [*_missed(shown, runs, now)]


def _last_ticks(shown: ScheduleView) -> ScheduleView:
    return replace(shown, ticks=shown.ticks[-MAX_TICKS:])


def _missed(
    shown: list[ScheduleView], runs: dict[str, WorkflowRow], now: datetime
) -> Iterator[Incident]:
    for each in shown:
        ticks = [*zip(each.ticks, tick_history(each, runs, now, acts=False), strict=True)]
        late = [at for at, tick in ticks if tick.is_missed and now - at < MISSED_WITHIN]
        if not late or not each.is_active:
            continue
        later = (at for at in each.ticks if at > late[-1])
        has_fired = any(run in runs for at in later for run in schedules.run_ids(each.name, at))
        last = relative(epoch_ms(late[-1].astimezone(UTC)), epoch_ms(now))
        said = f"missed {len(late)} of its last {len(each.ticks)} runs, last {last}"
        yield Incident(
            KINDS["schedule"],
            each.name,
            each.name,
            said + ("; it has fired since" if has_fired else ""),
            State.RESOLVED if has_fired else State.OPEN,
            each.name,
            query=rows_query(schedule=exactly(each.name)),
            affected=len(late),
            first_at=epoch_ms(late[0].astimezone(UTC)),
            last_at=epoch_ms(late[-1].astimezone(UTC)),
            application=each.row.application_name,
            remedy=Remedy(
                "Run now…",
                "play",
                reverse("dboshub:schedules:do", args=["trigger", each.name]),
            ),
        )
