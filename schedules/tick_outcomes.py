"""What became of the newest ticks of a schedule, and how late their runs were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import median_low

from dboshub.schedules.rendering import ScheduleView, epoch_ms, run_of
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.statuses import STATUS_STYLES


@dataclass(frozen=True, slots=True)
class Lateness:
    """Times from ticks to an event of their runs, in ms: `runs` runs had it, half of them within
    `half_ms`, all within `most_ms`."""

    runs: int
    half_ms: int
    most_ms: int


@dataclass(frozen=True, slots=True)
class TickOutcomes:
    """The runs of the newest ticks: their number by status, and how late they were.

    A lateness is None if no run was enqueued or has started. A backfilled run counts from its tick;
    one that was resumed or recovered counts to its latest start.
    """

    statuses: list[tuple[str, int]]
    enqueued: Lateness | None
    started: Lateness | None


def tick_outcomes(shown: ScheduleView, runs: Mapping[str, WorkflowRow]) -> TickOutcomes:
    """The outcomes of the past ticks of a schedule among `runs`, which are by id."""
    found = [(tick, run) for tick in shown.ticks if (run := run_of(shown.name, tick, runs))]
    numbers = Counter(run.status for _, run in found)
    known = [status for status in STATUS_STYLES if status in numbers]
    return TickOutcomes(
        [(status, numbers[status]) for status in [*known, *sorted({*numbers} - {*known})]],
        _lateness((tick, run.created_at) for tick, run in found),
        _lateness((tick, run.started_at_epoch_ms) for tick, run in found),
    )


def _lateness(times: Iterable[tuple[datetime, int | None]]) -> Lateness | None:
    # Clocks differ, and some programs write whole seconds: an event may seem to precede its tick.
    late = [max(0, at - epoch_ms(tick)) for tick, at in times if at is not None]
    return Lateness(len(late), median_low(late), max(late)) if late else None
