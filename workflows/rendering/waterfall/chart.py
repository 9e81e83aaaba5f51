"""The waterfall of a workflow: its lines on a time axis, whole or zoomed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dboshub.workflows.rendering.waterfall.lines import (
    LEGEND,
    WITHIN,
    Bar,
    Line,
    LiveEdge,
    Span,
    UsualEnd,
)
from dboshub.workflows.rendering.waterfall.scale import Interval, Scale, percent, scale
from dboshub.workflows.rendering.waterfall.step_lines import (
    Annotations,
    LineBuilder,
    UsualByName,
    last_end,
)
from dboshub.workflows.rendering.waterfall.zoom import Zoom, within
from dboshub.workflows.selectors.detail.run_activity import RunActivity
from dboshub.workflows.selectors.detail.steps import StepChildren, StepRow
from dboshub.workflows.selectors.rows import WorkflowRow

# In percent of the axis, so that a step without duration is visible.
MIN_BAR_WIDTH = 0.3
MIN_USUAL_WIDTH = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartInput:
    """A page of steps of a workflow, and what is known about them. Times are epoch ms.

    `usual` are the durations of other runs. `notes` are texts such as error messages, and `retries`
    numbers of failed attempts, both by step id. `edge` is the current activity of a workflow that
    has begun. `window` zooms to a time. `activity` is given if these are not all steps: the chart
    is then of the time of these, and what ran besides is not idle time. `full` are the times in
    which a queue had no free place, by the id of the workflow that waited.
    """

    row: WorkflowRow
    steps: Sequence[StepRow]
    children: StepChildren
    now: int
    edge: LiveEdge | None = None
    notes: Mapping[int, str] = field(default_factory=dict)
    retries: Mapping[int, int] = field(default_factory=dict)
    window: Interval | None = None
    usual: UsualByName = field(default_factory=dict)
    activity: RunActivity | None = None
    has_last: bool = True
    full: Mapping[str, Sequence[Interval]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chart:
    lines: tuple[Line, ...]
    scale: Scale
    zoom: Zoom

    @property
    def kinds(self) -> list[tuple[str, str]]:
        """The kinds of bars that not every chart has, with their words for the legend."""
        drawn = {bar.kind for line in _flat(self.lines) for bar in line.bars}
        return [(kind, word) for kind, word in LEGEND.items() if kind in drawn]


def chart(given: ChartInput) -> Chart:
    """The waterfall of a page of steps, or of the time `window` in it."""
    lines, window = _lines(given), given.window
    whole = _extent(lines) or (given.now, given.now)
    start, end = window or (whole if given.activity is None else _extent(lines[1:]) or whole)
    busy = given.activity.busy if given.activity else ()
    working = [*((each.start, each.end) for each in _working(lines[1:])), *busy]
    clipped = [(max(begin, start), min(stop, end)) for begin, stop in working]
    active = [(begin, stop) for begin, stop in clipped if begin <= stop]
    axis = scale(start, end, active, origin=min(span.start for span in lines[0].spans))
    shown = lines if window is None else [lines[0], *within(lines[1:], window)]
    zoom = Zoom(axis, whole, window is not None, len(lines) - len(shown))
    return Chart(tuple(_placed(line, axis) for line in shown), axis, zoom)


def _lines(given: ChartInput) -> list[Line]:
    """The line of the workflow itself, those of its steps, and that of its current activity."""
    row, edge = given.row, given.edge
    builder = LineBuilder(given.children, given.now, given.usual, given.full)
    activity = given.activity.busy if given.activity else ()
    ended = last_end(given.steps, given.children.rows, given.now) if given.has_last else None
    if ended is not None and activity:
        ended = max(ended, activity[-1][1])
    own = builder.own(row, ended)
    busy = (Span("busy", begin, stop) for begin, stop in activity)
    own = replace(own, parts=(*own.parts, *busy))
    annotations = Annotations(given.notes, given.retries)
    lines = [own, *builder.lines(row, given.steps, annotations=annotations)]
    if edge is not None:
        kind = "wait" if edge.is_wait else "run"
        span = Span(kind, edge.since, max(edge.since, given.now))
        last = Line(edge.label, "loader-circle", "waiting" if edge.is_wait else "running", (span,))
        lines.append(replace(last, retries=edge.retries, retried=edge.retried))
    return lines


def _extent(lines: Sequence[Line]) -> Interval | None:
    """The time from the first to the last span, if there is one."""
    spans = [span for line in _flat(lines) for span in line.spans]
    if not spans:
        return None
    return min(span.start for span in spans), max(span.end for span in spans)


def _flat(lines: Iterable[Line]) -> Iterator[Line]:
    for line in lines:
        yield line
        yield from _flat(line.lines)


def _working(lines: Iterable[Line]) -> Iterator[Span]:
    """The spans in which code ran; of a child those of its own steps, if all are known."""
    for line in lines:
        if line.lines and not line.has_more:
            yield from _working(line.lines)
        else:
            kinds = ("run", "extent") if line.child is not None else ("run",)
            yield from (span for span in line.spans if span.kind in kinds)


def _placed(line: Line, axis: Scale) -> Line:
    bars = []
    for span in sorted((*line.parts, *line.spans), key=lambda each: each.kind in WITHIN):
        if span.end < axis.start or span.start > axis.end:
            continue
        left, right = axis.position(span.start), axis.position(span.end)
        width = max(right - left, MIN_BAR_WIDTH)
        cut = (span.start < axis.start, span.end > axis.end)
        bars.append(Bar(span.kind, percent(min(left, 100 - width)), percent(width), *cut))
    lines = tuple(_placed(inner, axis) for inner in line.lines)
    return replace(line, bars=tuple(bars), lines=lines, usual_end=_usual_end(line, axis))


def _usual_end(line: Line, axis: Scale) -> UsualEnd | None:
    """None if it is outside the axis."""
    if line.usual is None or not line.spans:
        return None
    start = line.spans[-1].start
    begin, end = start + line.usual.p50, start + line.usual.p95
    if end < axis.start or begin > axis.end:
        return None
    left, right = axis.position(begin), axis.position(end)
    width = max(right - left, MIN_USUAL_WIDTH)
    return UsualEnd(percent(min(left, 100 - width)), percent(width))
