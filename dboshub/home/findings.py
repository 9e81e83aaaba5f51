"""Findings: current problems in words, with links to the rows that they are about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from django.urls import reverse

from dboshub.schedules.engine.records import Schedule
from dboshub.schedules.rendering import ScheduleView, epoch_ms, show, tick_history
from dboshub.workflows.models.rollups import HOUR, MINUTE
from dboshub.workflows.rendering.time_format import duration, relative
from dboshub.workflows.rollups.series import Failing
from dboshub.workflows.search.parser import exactly
from dboshub.workflows.selectors.executor_overview import ExecutorOverview
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.selectors.workflow_health import RepeatedRecovery
from dboshub.workflows.statuses import FAILED_NOT_CANCELLED

MAX_SHOWN = 6
# How long a dead executor and a missed run are reported.
DEATH_WITHIN_MS, MISSED_WITHIN = HOUR, timedelta(hours=24)
# A queue lags if its oldest workflow waits so long, and so much longer than before.
MIN_WAIT_MS, MIN_GROWTH_MS, MIN_GROWTH_UNKNOWN_MS = 2 * MINUTE, 3 * MINUTE, 10 * MINUTE
MAX_TICKS = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject` is the name of a workflow, queue or executor; `problem` completes the sentence."""

    subject: str
    problem: str
    url: str


@dataclass(frozen=True, slots=True)
class Group:
    """Findings of one kind; `url` is the page with all of them."""

    title: str
    icon: str
    css: str
    findings: list[Finding]
    url: str
    note: str = ""

    @property
    def shown(self) -> list[Finding]:
        return self.findings[:MAX_SHOWN]

    @property
    def more(self) -> int:
        return len(self.findings) - len(self.shown)


def workflows(**query: object) -> str:
    """The URL of the filtered list, internal workflows included, because they are counted."""
    return (
        f"{reverse('dboshub:workflows:list')}?{urlencode({**query, 'internal': 'yes'}, doseq=True)}"
    )


def failing_workflows(found: Iterable[Failing], *, since: int, until: int, note: str) -> Group:
    span: dict[str, object] = {"by": "completed", "since": since, "until": until}
    findings = [
        Finding(
            each.name or "(no name)",
            f"failed {_times(each.now)} in the last hour, {_times(each.before)} in the hour before",
            workflows(
                name=exactly(each.name) if each.name else "-", status=FAILED_NOT_CANCELLED, **span
            ),
        )
        for each in found
    ]
    url = f"{reverse('dboshub:workflows:errors')}?{urlencode({'since': since})}"
    return Group("Failing workflows", "circle-x", "s-error", findings, url, note)


def lagging_queues(
    oldest: Mapping[str, int], before: Mapping[str, int], now: int, *, is_known: bool
) -> Group:
    """Queues whose oldest workflow waits longer than before (`before`: earlier ages in ms)."""
    findings = []
    for name, at in sorted(oldest.items(), key=lambda each: each[1]):
        age = now - at
        grew = age - before.get(name, 0)
        if age < MIN_WAIT_MS or grew < (MIN_GROWTH_MS if is_known else MIN_GROWTH_UNKNOWN_MS):
            continue
        was = f", {duration(before[name])} ten minutes ago" if before.get(name) else ""
        said = f"its oldest has waited {duration(age)}{was}"
        findings.append(Finding(name, said, reverse("dboshub:queues:detail", args=[name])))
    return Group(
        "Queues that fall behind", "layers", "s-cancelled", findings, reverse("dboshub:queues:list")
    )


def dead_executors(fleet: ExecutorOverview, now: int) -> Group:
    """Executors that are silent, or that died within DEATH_WITHIN_MS."""
    findings = []
    for each in fleet.processes or ():
        heard = relative(each.executor.last_beat_at, now)
        where = f"on {each.executor.host}"
        if each.is_live and not each.executor.is_beating:
            said = f"is silent, last heartbeat {heard} {where}"
        elif each.ended_at and not each.stopped_at and now - each.ended_at < DEATH_WITHIN_MS:
            said = f"died, last heartbeat {heard} {where}"
        else:
            continue
        held = f" and holds {each.pending_count:,}" if each.pending_count else ""
        url = reverse("dboshub:workflows:executors")
        if each.pending_count:
            url = workflows(executor=exactly(each.executor.executor_id), status="PENDING")
        findings.append(Finding(each.executor.executor_id, said + held, url))
    return Group(
        "Executors that died", "cpu", "s-error", findings, reverse("dboshub:workflows:executors")
    )


def stranded_versions(fleet: ExecutorOverview) -> Group:
    """Versions with work in flight that no live executor runs.

    Versions of other programs are left out: their executors send no heartbeat.
    """
    foreign = {each.version for each in fleet.holders if not each.is_ours}
    findings = [
        Finding(
            each.name,
            f"holds {each.in_flight:,} in flight, and no live executor has it",
            workflows(version=exactly(each.name), status="in_flight"),
        )
        for each in fleet.versions
        if fleet.processes and each.name and each.in_flight and not each.executors
        if each.name not in foreign
    ]
    return Group(
        "Stranded versions",
        "git-branch",
        "s-cancelled",
        findings,
        reverse("dboshub:workflows:executors"),
    )


def recovery_loops(found: Iterable[RepeatedRecovery]) -> Group:
    findings = [
        Finding(
            each.row.name or each.row.pk,
            f"was recovered {_times(each.recoveries)} and has not ended: {each.row.pk}",
            reverse("dboshub:workflows:detail", args=[each.row.pk]),
        )
        for each in found
    ]
    return Group("Recovery loops", "rotate-ccw", "s-gave-up", findings, workflows(status="PENDING"))


def ticks_of(schedules: Iterable[Schedule], now: datetime) -> list[ScheduleView]:
    """The schedules with only their last MAX_TICKS ticks."""
    shown = [show(each, now) for each in schedules]
    return [replace(each, ticks=each.ticks[-MAX_TICKS:]) for each in shown]


def missed_runs(
    shown: Iterable[ScheduleView], runs: dict[str, WorkflowRow], now: datetime
) -> Group:
    """Active schedules that missed a run within MISSED_WITHIN."""
    findings = []
    for each in shown:
        strips = zip(each.ticks, tick_history(each, runs, now, acts=False), strict=True)
        late = [at for at, tick in strips if tick.is_missed and now - at < MISSED_WITHIN]
        if late and each.is_active:
            last = relative(int(late[-1].astimezone(UTC).timestamp() * 1_000), epoch_ms(now))
            said = f"missed {len(late)} of its last {len(each.ticks)} runs, last {last}"
            findings.append(
                Finding(each.name, said, reverse("dboshub:schedules:detail", args=[each.name]))
            )
    return Group(
        "Missed schedules",
        "calendar-clock",
        "s-cancelled",
        findings,
        reverse("dboshub:schedules:list"),
    )


def _times(number: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(number, f"{number:,} times")
