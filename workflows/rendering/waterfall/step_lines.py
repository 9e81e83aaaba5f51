"""The lines of a waterfall, from recorded steps: children under their step, groups folded.

All lines are recorded steps, except waits that have no row yet: these are inferred.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dboshub.workflows.rendering.waterfall.folds import folded
from dboshub.workflows.rendering.waterfall.lines import Line, Span
from dboshub.workflows.rendering.waterfall.scale import Interval
from dboshub.workflows.selectors.detail.steps import (
    GET_EVENT,
    GET_RESULT,
    RECV,
    SLEEP,
    WAITS,
    StepChildren,
    StepRow,
)
from dboshub.workflows.selectors.detail.usual_durations import UsualDurations
from dboshub.workflows.selectors.rows import WorkflowRow

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
# By name and application.
UsualByName = Mapping[tuple[str | None, str | None], UsualDurations]
NOT_KNOWN = UsualDurations()


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
    """Builds lines; `children` are the workflows that the steps started, `now` is epoch ms.

    `usual` are durations of other runs, `full` the times in which the queue of a workflow had no
    free place, by its id. Each workflow is `drawn` with its steps once: a workflow can be recorded
    as a child of its own child, or of two.
    """

    children: StepChildren
    now: int
    usual: UsualByName = field(default_factory=dict)
    full: Mapping[str, Sequence[Interval]] = field(default_factory=dict)
    drawn: set[str] = field(default_factory=set)

    def own(self, row: WorkflowRow, last_end: int | None) -> Line:
        """The line of a workflow; `last_end` is when its last step ended, if that is known."""
        began = row.began_at
        usual = self._usual(row).whole if began is not None else None
        spans = workflow_spans(row, row.completed_at or self.now)
        parts = (*without_a_place(spans, self.full.get(row.pk, ())), *finishing(row, last_end))
        name = row.name or "(no name)"
        return Line(name, "workflow", state(row), spans, parts, child=row, usual=usual)

    def lines(
        self,
        row: WorkflowRow,
        steps: Sequence[StepRow],
        *,
        depth: int = 0,
        annotations: Annotations | None = None,
    ) -> list[Line]:
        """One line per step of a workflow, with its children, and groups folded."""
        self.drawn.add(row.pk)
        recorded = {step.function_id: step for step in steps}
        found: list[Line] = []
        for step in steps:
            if _is_timer_of(recorded.get(step.function_id - 1), step):
                continue
            line = self._line(step, recorded, row, depth)
            found.append(annotations.on(line, step.function_id) if annotations else line)
        return folded(found)

    def _usual(self, row: WorkflowRow) -> UsualDurations:
        return self.usual.get((row.name, row.application_name), NOT_KNOWN)

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
        spans = _step_spans(step, until)
        usual = self._usual(row).steps.get(step.name) if step.child_id is None else None
        return Line(step.name, icon, outcome, spans, depth=depth, step=step, usual=usual)

    def _child_line(self, step: StepRow, child: WorkflowRow, depth: int) -> Line:
        steps = self.children.steps.get(child.pk, ())
        is_unread, has_more = child.pk not in self.children.read, child.pk in self.children.cut
        is_drawn = child.pk in self.drawn
        ended = last_end(steps, self.children.rows, self.now)
        own = self.own(child, None if is_unread or has_more else ended)
        return replace(
            own,
            label=step.name,
            state="failed" if step.is_failed else own.state,
            depth=depth,
            step=step,
            lines=() if is_drawn else tuple(self.lines(child, steps, depth=depth + 1)),
            is_unread=is_unread and not is_drawn,
            has_more=has_more and not is_drawn,
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
        if row.is_waiting:
            return tuple(_waited(row, until)) or (Span("queued", row.created_at, row.created_at),)
        # Cancelling clears the start time, so the span is from creation to end.
        return (Span("extent", row.created_at, max(row.created_at, until)),)
    run = Span("extent", began, max(began, until))
    return (run,) if began <= row.created_at else (*_waited(row, began), run)


def _waited(row: WorkflowRow, until: int) -> Iterator[Span]:
    """The time before a run: its delay, and its wait on the queue."""
    # A due time after the start is of a wait in which the workflow left memory.
    due = min(row.delay_until_epoch_ms or 0, until)
    due = due if row.began_at is None or (row.delay_until_epoch_ms or 0) <= row.began_at else 0
    if due > row.created_at:
        yield Span("delayed", row.created_at, due)
    if until > max(due, row.created_at):
        yield Span("queued", max(due, row.created_at), until)


def without_a_place(spans: Iterable[Span], full: Iterable[Interval]) -> Iterator[Span]:
    """The parts of a wait on a queue in which the queue had no free place."""
    for wait in spans:
        if wait.kind == "queued":
            found = ((max(wait.start, start), min(wait.end, end)) for start, end in full)
            yield from (Span("full", start, end) for start, end in found if start < end)


def finishing(row: WorkflowRow, last_end: int | None) -> Iterator[Span]:
    """The time between the last step of a workflow and its own end."""
    if row.completed_at is None or row.began_at is None or row.status not in ("SUCCESS", "ERROR"):
        return
    if last_end is not None and row.began_at <= last_end < row.completed_at:
        yield Span("finish", last_end, row.completed_at)


def last_end(steps: Sequence[StepRow], children: Mapping[str, WorkflowRow], now: int) -> int | None:
    """When the last of these steps, or of the children that they started, ended."""
    ends = [step.completed_at for step in steps if step.completed_at is not None]
    started = (children.get(step.child_id or "") for step in steps if step.starts_child)
    ends += [child.completed_at or now for child in started if child is not None]
    return max(ends, default=None)


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
