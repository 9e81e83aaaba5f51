"""View models of schedules: the meaning of the cron expression, next runs, and past ticks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import urlencode

from cron_descriptor import Options, get_description
from django.urls import reverse

from dboshub.schedules.engine.calendar import ClockChange, Ticks, clock_changes
from dboshub.schedules.engine.cron import Cron, aware
from dboshub.schedules.engine.records import ACTIVE, PAUSED, Schedule
from dboshub.schedules.selectors import HISTORY_TICKS, run_ids
from dboshub.workflows import statuses
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.rendering.time_zone import current_zone
from dboshub.workflows.selectors.rows import WorkflowRow

NEXT_RUNS = 5
MAX_TEXT = 300  # characters
CLOCK_CHANGE_HORIZON = timedelta(days=14)
# A later tick without a run counts as missed.
MISSED_AFTER = timedelta(seconds=90)
ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


@dataclass(frozen=True, slots=True)
class NextRun:
    """One future tick in the schedule's time zone and in that of who looks; `note` explains a clock
    change."""

    ms: int
    local: str
    here: str
    note: str


@dataclass(frozen=True, slots=True)
class Tick:
    """One past tick. `url` leads to its run, or to the form that starts a missing run."""

    css: str
    icon: str
    label: str
    url: str = ""
    is_missed: bool = False


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """A schedule as pages show it; `problem` says why it has no ticks, empty if it has."""

    row: Schedule
    words: str
    problem: str
    zone: str
    next_runs: list[NextRun]
    warnings: list[str]
    ticks: list[datetime]
    last_fired_ms: int | None

    @property
    def name(self) -> str:
        return self.row.schedule_name

    @property
    def is_active(self) -> bool:
        return self.row.status == ACTIVE

    @property
    def is_paused(self) -> bool:
        return self.row.status == PAUSED

    @property
    def ids(self) -> list[str]:
        """The possible workflow ids of the runs of its past ticks."""
        return [each for tick in self.ticks for each in run_ids(self.name, tick)]


def show(row: Schedule, now: datetime) -> ScheduleView:
    """The view of a schedule at a time."""
    zone = row.cron_timezone or "UTC"
    fired = last_fired(row)
    fired_ms = None if fired is None else epoch_ms(fired)
    try:
        calendar = _calendar(row.schedule, row.cron_timezone)
    except (DBOSException, ValueError, OverflowError) as error:
        said = shorten(getattr(error, "message", str(error)))
        words = shorten(row.schedule)
        return ScheduleView(
            row, words, f"It never runs: {said}.", shorten(zone), [], [], [], fired_ms
        )
    past, coming = calendar.at(now)
    changes = []
    if zone != "UTC" and coming:
        changes = clock_changes(calendar.cron, now, max(coming[-1], now + CLOCK_CHANGE_HORIZON))
    return ScheduleView(
        row,
        describe_cron(row.schedule),
        "",
        zone,
        [_next_run(tick, changes, now) for tick in coming],
        [_warning(change) for change in changes],
        past,
        fired_ms,
    )


def tick_history(
    shown: ScheduleView, runs: dict[str, WorkflowRow], now: datetime, *, acts: bool
) -> list[Tick]:
    """The newest ticks, oldest first. A tick without a run was missed if the schedule existed then.

    The table does not record when a schedule was created, so its first known run is used instead.
    With `acts`, missed ticks link to the backfill form.
    """
    found = [run_of(shown.name, at, runs) for at in shown.ticks]
    last = max((place for place, run in enumerate(found) if run), default=-1)
    is_known = False
    ticks = []
    for place, (at, run) in enumerate(zip(shown.ticks, found, strict=True)):
        is_known = is_known or run is not None or _fired_before(shown, at)
        if run is not None:
            ticks.append(_run_tick(at, run))
        elif shown.is_active and now - at < MISSED_AFTER and place > last:
            ticks.append(Tick("s-queued", "hourglass", f"{format_time(at)}: due, not started yet"))
        else:
            ticks.append(_tick_without_run(shown, at, is_known, acts))
    return ticks


def run_of(name: str, at: datetime, runs: Mapping[str, WorkflowRow]) -> WorkflowRow | None:
    """The run of a tick among `runs`, which are by id."""
    return next((runs[each] for each in run_ids(name, at) if each in runs), None)


@lru_cache(maxsize=1_024)
def describe_cron(expression: str) -> str:
    """A description such as `At 09:00, Monday through Friday`, or else the expression itself."""
    options = Options()
    options.use_24hour_time_format = True
    try:
        return str(get_description(ALIASES.get(expression.lower(), expression), options))
    except Exception:
        # The library may raise any error, and the page can do without a description.
        return expression


def shorten(text: str) -> str:
    """At most MAX_TEXT characters of a text, which another program may have written."""
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"


def last_fired(row: Schedule) -> datetime | None:
    """The last tick that ran; None if there is none, or if its format is unknown."""
    try:
        return aware(datetime.fromisoformat(row.last_fired_at)) if row.last_fired_at else None
    except ValueError:
        return None


def format_time(at: datetime, now: datetime | None = None) -> str:
    """A time such as `Thu 26 Nov 09:00`, with seconds unless 0, with the year if it differs."""
    year = "" if now and at.year == now.astimezone(at.tzinfo).year else f" {at.year}"
    seconds = f":{at.second:02}" if at.second else ""
    return f"{at:%a %d %b}{year} {at:%H:%M}{seconds}"


@lru_cache(maxsize=1_024)
def _calendar(expression: str, timezone: str | None) -> Ticks:
    return Ticks(Cron(expression, timezone), past=HISTORY_TICKS, ahead=NEXT_RUNS)


def _next_run(at: datetime, changes: list[ClockChange], now: datetime) -> NextRun:
    note = ""
    for change in changes:
        if change.is_forward and change.runs and at.astimezone(UTC) == change.at:
            note = f"instead of {change.wall:%H:%M}, which the clocks skip"
        elif not change.is_forward and change.low <= at.replace(tzinfo=None) < change.high:
            note = "this time comes twice: the clocks go back"
    here = at.astimezone(current_zone())
    local = f"{format_time(at, now)} {at.tzname() or ''}".strip()
    return NextRun(epoch_ms(at), local, format_time(here, now), note)


def _warning(change: ClockChange) -> str:
    day, wall = f"{change.low:%A %d %B %Y}", f"{change.wall:%H:%M}"
    low, high = f"{change.low:%H:%M}", f"{change.high:%H:%M}"
    if change.is_forward:
        then = f"and runs at {high} instead" if change.runs else "so it does not run then"
        return f"On {day} the clocks skip from {low} to {high}: {wall} does not exist, {then}."
    then = "and it runs both times" if change.runs else "and it runs once"
    return f"On {day} the clocks go back from {high} to {low}: {wall} comes twice, {then}."


def _run_tick(at: datetime, row: WorkflowRow) -> Tick:
    style = statuses.status_style(row.status)
    url = reverse("dboshub:workflows:detail", args=[row.pk])
    return Tick(style.css, style.icon, f"{format_time(at)}: {style.word}", url)


def _tick_without_run(shown: ScheduleView, at: datetime, is_known: bool, acts: bool) -> Tick:
    said = format_time(at)
    if not is_known:
        return Tick("is-before", "circle", f"{said}: before the first run that is known of")
    url = ""
    if acts:
        # Without a time zone, as in the form's fields, which are in the schedule's time zone.
        wall = at.replace(tzinfo=None).isoformat()
        url = reverse("dboshub:schedules:do", args=["backfill", shown.name])
        url += "?" + urlencode({"start": wall, "end": wall})
    if shown.is_paused and _fired_before(shown, at):
        return Tick("s-unknown", "pause", f"{said}: no run, it is paused", url)
    return Tick("s-cancelled", "x", f"{said}: no run", url, is_missed=True)


def _fired_before(shown: ScheduleView, at: datetime) -> bool:
    return shown.last_fired_ms is not None and shown.last_fired_ms < epoch_ms(at)


def epoch_ms(at: datetime) -> int:
    """A time in epoch milliseconds."""
    return int(at.timestamp() * 1_000)
