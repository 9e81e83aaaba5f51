"""The lines of a waterfall: what each says, and where on the axis its bars lie."""

from __future__ import annotations

from dataclasses import dataclass

from dboshub.workflows.rendering.waterfall.scale import MIN_SPAN_MS, percent, query
from dboshub.workflows.selectors.detail.steps import StepRow
from dboshub.workflows.selectors.rows import WorkflowRow

# A child with at most so many lines is unfolded at first.
MAX_OPEN_LINES = 12
# The hue of a state is that of the status it resembles.
HUES = {
    "done": "s-success",
    "failed": "s-error",
    "running": "s-running",
    "waiting": "s-running",
    "queued": "s-queued",
    "cancelled": "s-cancelled",
}


@dataclass(frozen=True, slots=True)
class Span:
    """`kind` is its texture: run, wait, queued or extent; colour is the line's state."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A span as it is drawn; one that is cut goes on beyond that edge of the axis."""

    kind: str
    x: str
    width: str
    is_cut_left: bool = False
    is_cut_right: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the chart with the rows folded into it."""

    label: str
    icon: str
    state: str
    spans: tuple[Span, ...] = ()
    depth: int = 0
    step: StepRow | None = None
    child: WorkflowRow | None = None
    lines: tuple[Line, ...] = ()
    failed: int = 0
    note: str = ""
    retries: int = 0
    retried: int | None = None
    bars: tuple[Bar, ...] = ()

    @property
    def css(self) -> str:
        return HUES[self.state]

    @property
    def duration_ms(self) -> int | None:
        """How long the last of its spans took: of a child its run, not its time in the queue."""
        return self.spans[-1].end - self.spans[-1].start if self.spans else None

    @property
    def queued_ms(self) -> int | None:
        first = self.spans[0] if self.spans else None
        return first.end - first.start if first and first.kind == "queued" else None

    @property
    def zoom(self) -> str | None:
        """The query string that shows its time with a margin on both sides."""
        if not self.spans:
            return None
        start, end = self.spans[0].start, self.spans[-1].end
        margin = max(MIN_SPAN_MS // 2, (end - start) // 10)
        return query(max(0, start - margin), end + margin)

    @property
    def is_open(self) -> bool:
        return 0 < len(self.lines) <= MAX_OPEN_LINES and self.step is not None

    @property
    def note_side(self) -> str:
        """Where the remark goes: before the last bar or after it, or on it if neither has room."""
        if not self.bars:
            return "on"
        if float(self.bars[-1].x[:-1]) > 50:
            return "before"
        return "after" if self._end < 60 else "on"

    @property
    def note_x(self) -> str:
        if not self.bars:
            return "0%"
        return percent(self._end) if self.note_side == "after" else self.bars[-1].x

    @property
    def _end(self) -> float:
        return float(self.bars[-1].x[:-1]) + float(self.bars[-1].width[:-1])


@dataclass(frozen=True, slots=True)
class LiveEdge:
    """What a workflow does now, for the line at the live edge; recorded nowhere among the steps."""

    label: str
    since: int
    is_wait: bool
    retried: int | None = None
    retries: int = 0
