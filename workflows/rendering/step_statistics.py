"""Statistics of steps by workflow and step name, from a sample: counts, percentiles, trend."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dboshub.workflows.rendering.time_format import duration
from dboshub.workflows.rendering.waterfall.scale import percent
from dboshub.workflows.selectors.percentile import percentile
from dboshub.workflows.selectors.step_sample import PARTS, SampledStep

BARS = 20
HEIGHT = 28
MIN_BAR_HEIGHT = 2.0
# The last part of the span, which is compared with what was before, and the fewest durations of
# each that are compared.
NEWEST_BARS = 5
MIN_COMPARED = 5

Key = tuple[str | None, str, str | None]


@dataclass(frozen=True, slots=True)
class Bar:
    """The p50 of a part of the span; red (`css`) if a step failed in it."""

    css: str
    x: str
    width: str
    y: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class StepStatistics:
    """The steps of one name in one workflow, or in one version of it. Durations are ms.

    `change` is the p50 of the newest quarter of the span, divided by the p50 before it.
    """

    workflow: str | None
    step: str
    version: str | None
    count: int
    failed: int
    p50: int | None
    p95: int | None
    p99: int | None
    change: float | None
    bars: tuple[Bar, ...]
    versions: tuple[tuple[str | None, int], ...]

    @property
    def failed_share(self) -> float:
        return self.failed / self.count

    @property
    def failed_percent(self) -> str:
        share = 100 * self.failed_share
        return f"{share:.0f} %" if share >= 10 else f"{share:.2g} %"

    @property
    def change_words(self) -> str:
        """`+35 %`, `3.1 times`; empty if it is not known or small."""
        if self.change is None or 0.95 < self.change < 1.05:
            return ""
        if self.change >= 2:
            return f"{self.change:.1f} times"
        sign = "+" if self.change > 1 else "\N{MINUS SIGN}"
        return f"{sign}{abs(self.change - 1):.0%}".replace("%", " %")

    @property
    def trend_words(self) -> str:
        return "p50 over time: " + ("; ".join(bar.title for bar in self.bars) or "not known")


SORTS: Mapping[str, Callable[[StepStatistics], Any]] = {
    "workflow": lambda each: (each.workflow or "").lower(),
    "step": lambda each: each.step.lower(),
    "version": lambda each: each.version or "",
    "count": lambda each: each.count,
    "failed": lambda each: (each.failed, each.failed_share),
    "p50": lambda each: each.p50 or 0,
    "p95": lambda each: each.p95 or 0,
    "p99": lambda each: each.p99 or 0,
    "trend": lambda each: each.change or 0,
}


def statistics(steps: Iterable[SampledStep], *, by_version: bool = False) -> list[StepStatistics]:
    """One entry for each workflow and step name, and each version if they are told apart."""
    groups: dict[Key, list[SampledStep]] = defaultdict(list)
    for step in steps:
        groups[step.workflow, step.name, step.version if by_version else None].append(step)
    return [_of_group(key, group) for key, group in groups.items()]


def ordered(found: Iterable[StepStatistics], sort: str) -> list[StepStatistics]:
    """In the order of a key of SORTS, descending with `-` before it; ties by name."""
    by_name = sorted(found, key=lambda each: (SORTS["workflow"](each), SORTS["step"](each)))
    key = SORTS[sort.removeprefix("-")]
    return sorted(by_name, key=key, reverse=sort.startswith("-"))


def _of_group(key: Key, group: Sequence[SampledStep]) -> StepStatistics:
    durations = sorted(step.duration_ms for step in group if step.duration_ms is not None)
    p50, p95, p99 = (
        percentile(durations, share) if durations else None for share in (0.5, 0.95, 0.99)
    )
    versions = Counter(step.version for step in group).most_common()
    failed = sum(step.is_failed for step in group)
    workflow, name, version = key
    return StepStatistics(
        workflow=workflow,
        step=name,
        version=version,
        count=len(group),
        failed=failed,
        p50=p50,
        p95=p95,
        p99=p99,
        change=_change(group),
        bars=_bars(group),
        versions=tuple(versions),
    )


def _change(group: Sequence[SampledStep]) -> float | None:
    edge = PARTS * (BARS - NEWEST_BARS) // BARS
    before, newest = (
        sorted(
            step.duration_ms
            for step in group
            if step.duration_ms is not None and (step.part >= edge) is is_newest
        )
        for is_newest in (False, True)
    )
    if min(len(before), len(newest)) < MIN_COMPARED:
        return None
    usual = percentile(before, 0.5)
    return percentile(newest, 0.5) / usual if usual else None


def _bars(group: Sequence[SampledStep]) -> tuple[Bar, ...]:
    durations: dict[int, list[int]] = defaultdict(list)
    failed: Counter[int] = Counter()
    for step in group:
        place = step.part * BARS // PARTS
        failed[place] += step.is_failed
        if step.duration_ms is not None:
            durations[place].append(step.duration_ms)
    middles = {place: percentile(sorted(each), 0.5) for place, each in durations.items()}
    top = max(middles.values(), default=0) or 1
    return tuple(
        _bar(place, ms, HEIGHT * ms / top, failed[place]) for place, ms in sorted(middles.items())
    )


def _bar(place: int, ms: int, height: float, failed: int) -> Bar:
    height = max(MIN_BAR_HEIGHT, round(height, 1))
    title = duration(ms) + (f", {failed:,} failed" if failed else "")
    css = "s-error" if failed else "s-running"
    x, width = percent(100 * place / BARS), percent(90 / BARS)
    return Bar(css, x, width, round(HEIGHT - height, 1), height, title)
