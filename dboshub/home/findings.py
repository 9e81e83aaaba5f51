"""What is wrong now, in sentences that lead to the very rows they are about."""

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

SHOWN = 6
# A death is news for so long, a missed tick for so long.
DEATH_MS, MISSED = HOUR, timedelta(hours=24)
# A head that waits so long, and so much longer than before, is not just a full queue.
WAITS_MS, GREW_MS, UNKNOWN_MS = 2 * MINUTE, 3 * MINUTE, 10 * MINUTE
TICKS = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject` is a name from the data, `problem` what is wrong with it."""

    subject: str
    problem: str
    url: str


@dataclass(frozen=True, slots=True)
class Group:
    """Findings of one kind; `url` leads to the page that has all of them."""

    title: str
    icon: str
    css: str
    findings: list[Finding]
    url: str
    note: str = ""

    @property
    def shown(self) -> list[Finding]:
        return self.findings[:SHOWN]

    @property
    def more(self) -> int:
        return len(self.findings) - len(self.shown)


def workflows(**query: object) -> str:
    """The list of workflows with a filter; ours among them, since they are counted too."""
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
    """Queues whose head waits longer than it did; `before` are the ages of a while ago."""
    findings = []
    for name, at in sorted(oldest.items(), key=lambda each: each[1]):
        age = now - at
        grew = age - before.get(name, 0)
        if age < WAITS_MS or grew < (GREW_MS if is_known else UNKNOWN_MS):
            continue
        was = f", {duration(before[name])} ten minutes ago" if before.get(name) else ""
        said = f"its oldest has waited {duration(age)}{was}"
        findings.append(Finding(name, said, reverse("dboshub:queues:detail", args=[name])))
    return Group(
        "Queues that fall behind", "layers", "s-cancelled", findings, reverse("dboshub:queues:list")
    )


def dead_executors(fleet: ExecutorOverview, now: int) -> Group:
    """Executors that vanished without a word, lately or just now."""
    findings = []
    for each in fleet.processes or ():
        heard = relative(each.executor.last_beat_at, now)
        where = f"on {each.executor.host}"
        if each.is_live and not each.executor.is_beating:
            said = f"is silent, last heard of {heard} {where}"
        elif each.ended_at and not each.stopped_at and now - each.ended_at < DEATH_MS:
            said = f"died, last heard of {heard} {where}"
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
    """Versions that hold work and that no live executor has.

    Where another program's executors may have them, nobody can tell: they leave no heartbeat.
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
    """The schedules with only their last ticks."""
    shown = [show(each, now) for each in schedules]
    return [replace(each, ticks=each.ticks[-TICKS:]) for each in shown]


def missed_runs(
    shown: Iterable[ScheduleView], runs: dict[str, WorkflowRow], now: datetime
) -> Group:
    """Active schedules that did not fire when they were due, in the last day."""
    findings = []
    for each in shown:
        strips = zip(each.ticks, tick_history(each, runs, now, acts=False), strict=True)
        late = [at for at, tick in strips if tick.is_missed and now - at < MISSED]
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
