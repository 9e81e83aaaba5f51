"""The lines of a waterfall, from recorded steps: children under their step, groups folded.

All lines are recorded steps, except waits that have no row yet: these are inferred.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from dboshub.workflows.rendering.waterfall.lines import Line, Span
from dboshub.workflows.selectors.detail.steps import (
    GET_EVENT,
    GET_RESULT,
    RECV,
    SLEEP,
    StepChildren,
    StepRow,
)
from dboshub.workflows.selectors.rows import WorkflowRow

# From this number on, consecutive steps of one name are folded into one line.
MIN_FOLDED = 6
# A folded line has the first of these states that one of its lines has, or else "done".
FIRST_SHOWN = ("failed", "running", "waiting", "queued")

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
class Annotations:
    """Notes and numbers of failed attempts beside the lines, by step id."""

    notes: Mapping[int, str] = field(default_factory=dict)
    retries: Mapping[int, int] = field(default_factory=dict)

    def on(self, line: Line, step: int) -> Line:
        if step not in self.notes and step not in self.retries:
            return line
        return replace(line, note=self.notes.get(step, ""), retries=self.retries.get(step, 0))


@dataclass(frozen=True, slots=True)
class LineBuilder:
    """Builds lines; `children` are the workflows that the steps started, `now` is epoch ms."""

    children: StepChildren
    now: int

    def lines(
        self,
        row: WorkflowRow,
        steps: Sequence[StepRow],
        *,
        depth: int = 0,
        annotations: Annotations | None = None,
    ) -> list[Line]:
        """One line per step of a workflow, with its children, and groups folded."""
        recorded = {step.function_id: step for step in steps}
        found: list[Line] = []
        for step in steps:
            if _is_timer_of(recorded.get(step.function_id - 1), step):
                continue
            line = self._line(step, recorded, row, depth)
            found.append(annotations.on(line, step.function_id) if annotations else line)
        return [line for _, same in groupby(found, _alike) for line in _folded(list(same))]

    def _line(
        self, step: StepRow, recorded: dict[int, StepRow], row: WorkflowRow, depth: int
    ) -> Line:
        until = row.completed_at or self.now
        unfinished = "cancelled" if row.is_final else "waiting"
        child = self.children.rows.get(step.child_id or "") if step.starts_child else None
        if child is not None:
            return self._child_line(step, child, depth)
        if is_open_wait(step, recorded):
            # The timer is recorded when the wait begins, the wait itself when it ends.
            span = Span("wait", step.started_at or until, max(step.started_at or until, until))
            text, number = "waits for a message or event", step.function_id - 1
            return Line(
                text, "mail", unfinished, (span,), depth=depth, step=step, wait_number=number
            )
        icon = "workflow" if step.child_id and step.starts_child else ICONS.get(step.name, "box")
        outcome = "failed" if step.is_failed else "done"
        if step.is_timer and (step.completed_at or 0) > until:
            outcome = unfinished
        return Line(step.name, icon, outcome, _step_spans(step, until), depth=depth, step=step)

    def _child_line(self, step: StepRow, child: WorkflowRow, depth: int) -> Line:
        steps = self.children.steps.get(child.pk, ())
        return Line(
            step.name,
            "workflow",
            "failed" if step.is_failed else state(child),
            workflow_spans(child, child.completed_at or self.now),
            depth=depth,
            step=step,
            child=child,
            lines=tuple(self.lines(child, steps, depth=depth + 1)),
        )


def _step_spans(step: StepRow, until: int) -> tuple[Span, ...]:
    if step.started_at is None and step.completed_at is None:
        return ()
    start = step.started_at if step.started_at is not None else step.completed_at
    end = step.completed_at if step.completed_at is not None else step.started_at
    assert start is not None
    assert end is not None
    # The recorded end of a sleep is in the future while it sleeps.
    end = min(end, until) if step.is_timer else end
    return (Span("wait" if step.name in WAITS else "run", start, max(start, end)),)


def workflow_spans(row: WorkflowRow, until: int) -> tuple[Span, ...]:
    began = row.began_at
    if began is None:
        # Cancelling clears the start time, so the span is from creation to end.
        kind = "queued" if row.is_waiting else "extent"
        return (Span(kind, row.created_at, max(row.created_at, until)),)
    run = Span("extent", began, max(began, until))
    return (run,) if began <= row.created_at else (Span("queued", row.created_at, began), run)


def _is_timer_of(before: StepRow | None, step: StepRow) -> bool:
    """Whether this sleep is the timer of a recv or getEvent that has ended."""
    return step.is_timer and before is not None and before.name in (RECV, GET_EVENT)


def is_open_wait(step: StepRow, recorded: dict[int, StepRow]) -> bool:
    """Whether this sleep is the timer of a wait that has not ended: the wait has no row yet."""
    return step.is_timer and step.function_id > 1 and step.function_id - 1 not in recorded


def state(row: WorkflowRow) -> str:
    """The state of the line of a workflow."""
    if row.is_suspended:
        return "waiting"
    return {
        "SUCCESS": "done",
        "PENDING": "running",
        "ENQUEUED": "queued",
        "DELAYED": "queued",
        "CANCELLED": "cancelled",
    }.get(row.status, "failed")


def _alike(line: Line) -> tuple[str, bool]:
    return line.label, line.child is not None


def _folded(same: list[Line]) -> list[Line]:
    if len(same) < MIN_FOLDED:
        return same
    failed = [line for line in same if line.state == "failed"]
    states = {line.state for line in same}
    whole = next((each for each in FIRST_SHOWN if each in states), "done")
    spans = [span for line in same for span in line.spans]
    extent: tuple[Span, ...] = ()
    if spans:
        extent = (Span("extent", min(s.start for s in spans), max(s.end for s in spans)),)
    others = (line for line in same if line.state != "failed")
    inner = tuple(_deeper(line) for line in [*failed, *others])
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
