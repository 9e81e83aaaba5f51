"""The waterfall of a workflow: its lines on a time axis, whole or zoomed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dboshub.workflows.rendering.waterfall.lines import Bar, Line, LiveEdge, Span, UsualEnd
from dboshub.workflows.rendering.waterfall.scale import Interval, Scale, percent, scale
from dboshub.workflows.rendering.waterfall.step_lines import (
    Annotations,
    LineBuilder,
    state,
    workflow_spans,
)
from dboshub.workflows.rendering.waterfall.zoom import Zoom, within
from dboshub.workflows.selectors.detail.steps import StepChildren, StepRow
from dboshub.workflows.selectors.detail.usual_durations import UsualDurations
from dboshub.workflows.selectors.rows import WorkflowRow

# In percent of the axis, so that a step without duration is visible.
MIN_BAR_WIDTH = 0.3
MIN_USUAL_WIDTH = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartInput:
    """A page of steps of a workflow, and what is known about them. Times are epoch ms.

    `usual` are the durations of other runs. `notes` are texts such as error messages, and `retries`
    numbers of failed attempts, both by step id. `edge` is the current activity of a workflow that
    has begun. `window` zooms to a time.
    """

    row: WorkflowRow
    steps: Sequence[StepRow]
    children: StepChildren
    now: int
    edge: LiveEdge | None = None
    notes: Mapping[int, str] = field(default_factory=dict)
    retries: Mapping[int, int] = field(default_factory=dict)
    window: Interval | None = None
    usual: UsualDurations = field(default_factory=UsualDurations)


@dataclass(frozen=True, slots=True)
class Chart:
    lines: tuple[Line, ...]
    scale: Scale
    zoom: Zoom


def chart(given: ChartInput) -> Chart:
    """The waterfall of a page of steps, or of the time `window` in it."""
    lines, window = _lines(given), given.window
    own = lines[0].spans
    whole = _extent(lines, is_later_page=bool(given.steps) and given.steps[0].function_id > 1)
    start, end = window or whole
    working = [(max(each.start, start), min(each.end, end)) for each in _working(lines[1:])]
    active = [(begin, stop) for begin, stop in working if begin <= stop]
    axis = scale(start, end, active, origin=min(span.start for span in own))
    shown = lines if window is None else [lines[0], *within(lines[1:], window)]
    zoom = Zoom(axis, whole, window is not None, len(lines) - len(shown))
    return Chart(tuple(_placed(line, axis) for line in shown), axis, zoom)


def _lines(given: ChartInput) -> list[Line]:
    """The line of the workflow itself, those of its steps, and that of its current activity."""
    row, edge = given.row, given.edge
    own = Line(
        row.name or "(no name)",
        "workflow",
        state(row),
        workflow_spans(row, row.completed_at or given.now),
        child=row,
        usual=given.usual.whole if row.began_at is not None else None,
    )
    annotations = Annotations(given.notes, given.retries)
    builder = LineBuilder(given.children, given.now)
    steps = builder.lines(row, given.steps, annotations=annotations)
    lines = [own, *(_with_usual(line, row, given.usual) for line in steps)]
    if edge is not None:
        kind = "wait" if edge.is_wait else "run"
        span = Span(kind, edge.since, max(edge.since, given.now))
        last = Line(edge.label, "loader-circle", "waiting" if edge.is_wait else "running", (span,))
        lines.append(replace(last, retries=edge.retries, retried=edge.retried))
    return lines


def _with_usual(line: Line, row: WorkflowRow, usual: UsualDurations) -> Line:
    """The line of a step of this workflow with its usual duration, also in a fold."""
    step = line.step
    if step is None:
        return replace(line, lines=tuple(_with_usual(each, row, usual) for each in line.lines))
    is_own = step.workflow_uuid == row.pk and step.child_id is None
    return replace(line, usual=usual.steps.get(step.name)) if is_own else line


def _extent(lines: Sequence[Line], *, is_later_page: bool) -> Interval:
    """The time from the first to the last span."""
    own = lines[0].spans
    others = [span for line in _flat(lines[1:]) for span in line.spans]
    # A page in the middle of many steps shows only the time of its own steps.
    spans = (others or own) if is_later_page else [*others, *own]
    return min(span.start for span in spans), max(span.end for span in spans)


def _flat(lines: Iterable[Line]) -> Iterator[Line]:
    for line in lines:
        yield line
        yield from _flat(line.lines)


def _working(lines: Iterable[Line]) -> Iterator[Span]:
    """The spans in which code ran; of a child those of its own steps, if known."""
    for line in lines:
        if line.lines:
            yield from _working(line.lines)
        else:
            kinds = ("run", "extent") if line.child is not None else ("run",)
            yield from (span for span in line.spans if span.kind in kinds)


def _placed(line: Line, axis: Scale) -> Line:
    bars = []
    for span in line.spans:
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
