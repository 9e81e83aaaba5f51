"""Geometry of the charts for templates: x in percent, y in pixels. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, log10

from dboshub.workflows.rendering.time_format import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    duration,
    local_datetime,
    minute,
)
from dboshub.workflows.rendering.time_zone import zone_name
from dboshub.workflows.rendering.waterfall.scale import percent
from dboshub.workflows.rollups import histogram
from dboshub.workflows.rollups.series import TimeBucket

HEIGHT, LABEL_HEIGHT = 120, 16
MAX_LABELS = 6
# The durations at which an axis may begin, end and have grid lines.
DURATION_MARKS = (
    1,
    10,
    100,
    SECOND,
    10 * SECOND,
    MINUTE,
    10 * MINUTE,
    HOUR,
    10 * HOUR,
    4 * DAY,
    40 * DAY,
)
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
STACK = (
    ("succeeded", "s-success"),
    ("cancelled", "s-cancelled"),
    ("gave_up", "s-gave-up"),
    ("failed", "s-error"),
)

Link = Callable[[TimeBucket], str]


@dataclass(frozen=True, slots=True)
class Rect:
    css: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class ChartColumn:
    """A time bucket as it is drawn: rectangles, tooltip, and the URL of its workflows."""

    x: str
    width: str
    title: str
    url: str
    is_gap: bool
    rects: tuple[Rect, ...] = ()


@dataclass(frozen=True, slots=True)
class Grid:
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Curve:
    """A line, interrupted where there are no values; points are in percent of the plot."""

    css: str
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    summary: str
    columns: tuple[ChartColumn, ...]
    grid: tuple[Grid, ...]
    curves: tuple[Curve, ...] = ()
    legend: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Label:
    x: str
    text: str


def throughput(buckets: Sequence[TimeBucket], link: Link) -> Chart:
    """The number of ended workflows by outcome."""
    top = round_up(max((each.ended for each in buckets), default=0))
    columns = [
        column(place, len(buckets), each, link, _said(each), _stack(each, top))
        for place, each in enumerate(buckets)
    ]
    total = sum(each.ended for each in buckets)
    return Chart(
        "Ended",
        _counted(buckets, f"{total:,} workflow{'' if total == 1 else 's'} ended"),
        tuple(columns),
        (Grid(0, f"{top:,}"), Grid(HEIGHT / 2, f"{top / 2:,g}")),
        legend=(
            ("s-success", "succeeded"),
            ("s-cancelled", "cancelled"),
            ("s-gave-up", "gave up"),
            ("s-error", "failed"),
        ),
    )


def failure_rate(buckets: Sequence[TimeBucket], link: Link) -> Chart:
    """The share of failures among the ended workflows."""
    shares = [each.failed / each.ended if each.ended else 0.0 for each in buckets]
    top = min(100, round_up(ceil(100 * max(shares, default=0.0))))
    columns = []
    for place, (each, share) in enumerate(zip(buckets, shares, strict=True)):
        height = HEIGHT * 100 * share / top
        rects = (Rect("s-error", HEIGHT - height, height),) if share else ()
        said = f"{each.failed:,} of {each.ended:,} failed, {share:.1%}"
        columns.append(column(place, len(buckets), each, link, said, rects))
    failed, ended = (sum(getattr(each, of) for each in buckets) for of in ("failed", "ended"))
    of_all = f", {failed / ended:.1%}" if ended else ""
    summary = _counted(buckets, f"{failed:,} of {ended:,} failed{of_all}")
    grid = (Grid(0, f"{top} %"), Grid(HEIGHT / 2, f"{top / 2:g} %"))
    return Chart("Failure rate", summary, tuple(columns), grid)


def durations(buckets: Sequence[TimeBucket], link: Link) -> Chart:
    """Percentiles of the run time of workflows that ended by themselves, on a logarithmic axis."""
    found = [percentiles(each) for each in buckets]
    known = [ms for each in found for ms in each.values() if ms is not None]
    low = max((mark for mark in DURATION_MARKS if mark <= min(known, default=1)), default=1)
    high = min(
        (mark for mark in DURATION_MARKS if mark >= max(known, default=1) and mark > low),
        default=DURATION_MARKS[-1],
    )
    columns = []
    for place, (each, values) in enumerate(zip(buckets, found, strict=True)):
        said = ", ".join(f"{name} {duration(ms)}" for name, ms in values.items() if ms is not None)
        columns.append(column(place, len(buckets), each, link, said or "no run ended", ()))
    all_of = {name: [each[name] for each in found] for name in SHARES}
    curves = [Curve(f"curve-{name}", _pieces(values, low, high)) for name, values in all_of.items()]
    grid: list[Grid] = []
    for mark in sorted((each for each in DURATION_MARKS if low < each <= high), reverse=True):
        y = round(HEIGHT * _down(mark, low, high), 2)
        if not grid or y - grid[-1].y >= LABEL_HEIGHT:
            grid.append(Grid(y, duration(mark)))
    longest = max((each["p99"] or 0 for each in found), default=0)
    return Chart(
        "Run time",
        _counted(buckets, f"p99 at most {duration(longest)}" if known else "No run ended"),
        tuple(columns),
        tuple(grid),
        tuple(curves),
        tuple((f"curve-{name}", name) for name in SHARES),
    )


def _counted(buckets: Sequence[TimeBucket], said: str) -> str:
    """A summary as a sentence that claims no more than was counted."""
    if all(each.is_gap for each in buckets):
        return "Nothing of this time is counted."
    return f"{said}, as far as counted." if any(each.is_gap for each in buckets) else f"{said}."


def percentiles(bucket: TimeBucket) -> dict[str, int | None]:
    return dict(
        zip(SHARES, histogram.percentiles(bucket.tally.run, [*SHARES.values()]), strict=True)
    )


def labels(buckets: Sequence[TimeBucket]) -> list[Label]:
    """The times below the axis, about MAX_LABELS of them."""
    every = max(1, ceil(len(buckets) / MAX_LABELS))
    step = buckets[0].until - buckets[0].at if buckets else MINUTE
    return [
        Label(percent(100 * place / len(buckets)), _clock(each.at, step))
        for place, each in enumerate(buckets)
        if place % every == 0
    ]


def _clock(at: int, step: int) -> str:
    return local_datetime(at).strftime("%H:%M" if step < HOUR else "%d %b")


def column(
    place: int, of: int, bucket: TimeBucket, link: Link, said: str, rects: tuple[Rect, ...]
) -> ChartColumn:
    start = f"{minute(bucket.at)} to {minute(bucket.until)[11:]} {zone_name()}"
    if bucket.is_gap:
        said = "not counted"
    elif bucket.covered < bucket.expected:
        said += f" ({bucket.covered} of {bucket.expected} minutes counted)"
    return ChartColumn(
        percent(100 * place / of),
        percent(100 / of),
        f"{start}: {said}",
        "" if bucket.is_gap else link(bucket),
        bucket.is_gap,
        () if bucket.is_gap else rects,
    )


def _said(bucket: TimeBucket) -> str:
    parts = [
        f"{bucket.tally.outcomes[name]:,} {name.replace('_', ' ')}"
        for name, _ in STACK
        if bucket.tally.outcomes[name]
    ]
    return ", ".join(parts) or "nothing ended"


def _stack(bucket: TimeBucket, top: int) -> tuple[Rect, ...]:
    rects, y = [], float(HEIGHT)
    for name, css in STACK:
        height = HEIGHT * bucket.tally.outcomes[name] / top
        if height:
            y -= height
            rects.append(Rect(css, round(y, 2), round(height, 2)))
    return tuple(rects)


def _pieces(values: Sequence[int | None], low: int, high: int) -> tuple[str, ...]:
    """Horizontal lines as wide as their columns, so that a single value is visible."""
    pieces: list[list[str]] = [[]]
    for place, ms in enumerate(values):
        if ms is None:
            pieces.append([])
            continue
        y = 100 * _down(ms, low, high)
        left, right = 100 * place / len(values), 100 * (place + 1) / len(values)
        pieces[-1] += [f"{left:.2f},{y:.2f}", f"{right:.2f},{y:.2f}"]
    return tuple(" ".join(piece) for piece in pieces if piece)


def _down(ms: int, low: int, high: int) -> float:
    """The distance of a duration from the top, as a share of the height."""
    return log10(high / max(1, ms)) / log10(high / low)


def round_up(value: int) -> int:
    """The next of 2, 4, 10, 20, 40, 100, …: numbers whose half is round, too."""
    size = 1
    while value > 10 * size:
        size *= 10
    return next(step * size for step in (2, 4, 10) if step * size >= value)
