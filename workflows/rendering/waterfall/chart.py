"""Steps as lines of a waterfall: children at their call site, waits as waits, fan-outs folded.

Everything shown is recorded; what is inferred (a wait that has no row yet) says so by its kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from dboshub.workflows.rendering.waterfall.lines import Bar, Line, LiveEdge, Span
from dboshub.workflows.rendering.waterfall.scale import Interval, Scale, percent, scale
from dboshub.workflows.rendering.waterfall.zoom import Zoom, within
from dboshub.workflows.selectors.detail.steps import (
    GET_EVENT,
    GET_RESULT,
    RECV,
    SLEEP,
    StepChildren,
    StepRow,
)
from dboshub.workflows.selectors.rows import WorkflowRow

# As many siblings of one name are folded into one line.
FOLD_FROM = 6
# What took no time is still seen, in percent of the axis.
MIN_BAR_WIDTH = 0.3

ICONS = {
    SLEEP: "timer",
    RECV: "mail",
    GET_EVENT: "bell",
    GET_RESULT: "hourglass",
    "DBOS.setEvent": "bell",
    "DBOS.send": "send",
    "DBOS.send_bulk": "send",
    "DBOS.writeStream": "waves",
    "DBOS.closeStream": "waves",
    "DBOS.readStream": "waves",
    "DBOS.forkWorkflow": "git-fork",
}
WAITS = frozenset({SLEEP, RECV, GET_EVENT, GET_RESULT, "DBOS.waitFirst", "DBOS.readStream"})


@dataclass(frozen=True, slots=True)
class Chart:
    lines: tuple[Line, ...]
    scale: Scale
    zoom: Zoom


@dataclass(frozen=True, slots=True)
class Remarks:
    """What is written beside a step's line, by step id."""

    notes: Mapping[int, str] = field(default_factory=dict)
    retries: Mapping[int, int] = field(default_factory=dict)

    def on(self, line: Line, step: int) -> Line:
        if step not in self.notes and step not in self.retries:
            return line
        return replace(line, note=self.notes.get(step, ""), retries=self.retries.get(step, 0))


def chart(
    row: WorkflowRow,
    steps: Sequence[StepRow],
    family: StepChildren,
    *,
    now: int,
    edge: LiveEdge | None = None,
    notes: dict[int, str] | None = None,
    retries: dict[int, int] | None = None,
    window: Interval | None = None,
) -> Chart:
    """The waterfall of a page of steps, or of it only the time in `window`.

    By step id, `notes` are remarks, such as error messages, and `retries` failed attempts.
    """
    until = row.completed_at or now
    remarks = Remarks(notes or {}, retries or {})
    lines = [_own(row, until), *_lines(row, steps, family, now=now, depth=0, remarks=remarks)]
    if edge is not None:
        kind = "wait" if edge.is_wait else "run"
        span = Span(kind, edge.since, max(edge.since, now))
        lines.append(
            Line(
                edge.label,
                "loader-circle",
                "running",
                (span,),
                retries=edge.retries,
                retried=edge.retried,
            )
        )
    spans = [span for line in _flat(lines) for span in line.spans]
    own, others = lines[0].spans, spans[len(lines[0].spans) :]
    # Of a page in the middle of many steps, only the time of that page.
    extent = [*others, *own] if len(steps) == 0 or steps[0].function_id <= 1 else others or own
    whole = (min(span.start for span in extent), max(span.end for span in extent))
    start, end = window or whole
    working = [(max(each.start, start), min(each.end, end)) for each in _working(lines[1:])]
    active = [(begin, stop) for begin, stop in working if begin <= stop]
    axis = scale(start, end, active, origin=min(span.start for span in own))
    shown = lines if window is None else [lines[0], *within(lines[1:], window)]
    zoom = Zoom(axis, whole, window is not None, len(lines) - len(shown))
    return Chart(tuple(_placed(line, axis) for line in shown), axis, zoom)


def _own(row: WorkflowRow, until: int) -> Line:
    return Line(
        row.name or "(no name)",
        "workflow",
        state(row.status),
        _workflow_spans(row, until),
        child=row,
    )


def _lines(
    row: WorkflowRow,
    steps: Sequence[StepRow],
    family: StepChildren,
    *,
    now: int,
    depth: int,
    remarks: Remarks,
) -> list[Line]:
    recorded = {step.function_id: step for step in steps}
    until = row.completed_at or now
    found: list[Line] = []
    for step in steps:
        if _is_deadline_of(recorded.get(step.function_id - 1), step):
            continue
        line = _line(step, recorded, family, until, now=now, depth=depth)
        found.append(remarks.on(line, step.function_id))
    return [line for _, same in groupby(found, _alike) for line in _folded(list(same))]


def _line(
    step: StepRow,
    recorded: dict[int, StepRow],
    family: StepChildren,
    until: int,
    *,
    now: int,
    depth: int,
) -> Line:
    child = family.rows.get(step.child_id or "") if step.starts_child else None
    if child is not None:
        return _child_line(step, child, family, now=now, depth=depth)
    if is_open_wait(step, recorded):
        # The deadline is written when the wait begins, its own row only when it ends.
        span = Span("wait", step.started_at or until, max(step.started_at or until, until))
        return Line(
            "waits for a message or event", "mail", "waiting", (span,), depth=depth, step=step
        )
    icon = "workflow" if step.child_id and step.starts_child else ICONS.get(step.name, "box")
    outcome = "failed" if step.is_failed else "done"
    return Line(step.name, icon, outcome, _step_spans(step, until), depth=depth, step=step)


def _child_line(
    step: StepRow, child: WorkflowRow, family: StepChildren, *, now: int, depth: int
) -> Line:
    steps = family.steps.get(child.pk, ())
    lines = _lines(child, steps, family, now=now, depth=depth + 1, remarks=Remarks())
    spans = _workflow_spans(child, child.completed_at or now)
    return Line(
        step.name,
        "workflow",
        "failed" if step.is_failed else state(child.status),
        spans,
        depth=depth,
        step=step,
        child=child,
        lines=tuple(lines),
    )


def _step_spans(step: StepRow, until: int) -> tuple[Span, ...]:
    if step.started_at is None and step.completed_at is None:
        return ()
    start = step.started_at if step.started_at is not None else step.completed_at
    end = step.completed_at if step.completed_at is not None else start
    assert start is not None and end is not None  # noqa: PT018
    # A sleep's end lies in the future while it sleeps, and after the end if it was cancelled.
    end = min(end, until) if step.name == SLEEP else end
    return (Span("wait" if step.name in WAITS else "run", start, max(start, end)),)


def _workflow_spans(row: WorkflowRow, until: int) -> tuple[Span, ...]:
    began = row.began_at
    if began is None:
        # Cancelling forgets when a run began; what is left is from its creation to its end.
        kind = "queued" if row.is_waiting else "extent"
        return (Span(kind, row.created_at, max(row.created_at, until)),)
    run = Span("extent", began, max(began, until))
    return (run,) if began <= row.created_at else (Span("queued", row.created_at, began), run)


def _is_deadline_of(before: StepRow | None, step: StepRow) -> bool:
    """Whether this sleep is the timeout written beside a recv or getEvent that has ended."""
    return step.name == SLEEP and before is not None and before.name in (RECV, GET_EVENT)


def is_open_wait(step: StepRow, recorded: dict[int, StepRow]) -> bool:
    """Whether this sleep is the timeout of a wait that has not ended: its own row is missing."""
    return step.name == SLEEP and step.function_id > 1 and step.function_id - 1 not in recorded


def state(status: str) -> str:
    """The state of a line by the status of its workflow; status names are kept apart in pills."""
    return {
        "SUCCESS": "done",
        "PENDING": "running",
        "ENQUEUED": "queued",
        "DELAYED": "queued",
        "CANCELLED": "cancelled",
    }.get(status, "failed")


def _alike(line: Line) -> tuple[str, bool]:
    return line.label, line.child is not None


def _folded(same: list[Line]) -> list[Line]:
    if len(same) < FOLD_FROM:
        return same
    failed = [line for line in same if line.state == "failed"]
    states = {line.state for line in same}
    whole = next((each for each in ("failed", "running", "queued") if each in states), "done")
    spans = [span for line in same for span in line.spans]
    extent: tuple[Span, ...] = ()
    if spans:
        extent = (Span("extent", min(s.start for s in spans), max(s.end for s in spans)),)
    inner = tuple(_deeper(line) for line in [*failed, *(x for x in same if x not in failed)])
    return [
        Line(
            f"{len(same)} of {same[0].label}",
            same[0].icon,
            whole,
            extent,
            depth=same[0].depth,
            lines=inner,
            failed=len(failed),
        )
    ]


def _deeper(line: Line) -> Line:
    return replace(line, depth=line.depth + 1, lines=tuple(map(_deeper, line.lines)))


def _flat(lines: Iterable[Line]) -> Iterator[Line]:
    for line in lines:
        yield line
        yield from _flat(line.lines)


def _working(lines: Iterable[Line]) -> Iterator[Span]:
    """The spans in which something ran; of a child those of its own steps, if they are known."""
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
    return replace(
        line, bars=tuple(bars), lines=tuple(_placed(inner, axis) for inner in line.lines)
    )
