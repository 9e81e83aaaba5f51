"""The lines of a waterfall: labels, spans, and bars on the axis."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dboshub.workflows.rendering.time_format import duration
from dboshub.workflows.rendering.waterfall.scale import MIN_SPAN_MS, percent, query
from dboshub.workflows.selectors.detail.steps import StepRow
from dboshub.workflows.selectors.detail.usual_durations import Usual
from dboshub.workflows.selectors.rows import WorkflowRow

# A child with at most this many lines is unfolded initially.
MAX_OPEN_LINES = 12
MAX_INDENT = 8
# The time of a workflow, in order, and parts of it.
WORDS = {"delayed": "delayed", "queued": "queued", "extent": "ran"}
PARTS = {
    "full": ("queued", "without a free place"),
    "finish": ("extent", "after its last step"),
}
LEGEND = {
    "delayed": "delayed",
    "queued": "queued",
    "full": "queued, no free place",
    "finish": "after its last step",
    "busy": "steps of any page",
}
# The parts that are drawn over a run.
WITHIN = ("finish", "busy")
# The CSS class of each state of a line.
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
    """A time span (epoch ms); the line has the colour.

    `kind` is run, wait, delayed, queued or extent; of a part of these it is full (the queue had no
    free place), finish (after the last step) or busy (steps on any page ran).
    """

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A span as it is drawn. A cut bar continues beyond that end of the axis."""

    kind: str
    x: str
    width: str
    is_cut_left: bool = False
    is_cut_right: bool = False


@dataclass(frozen=True, slots=True)
class UsualEnd:
    """Where a bar usually ends, from p50 to p95, as it is drawn."""

    x: str
    width: str


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the chart with the rows that are folded into it.

    `parts` are drawn over the spans. Of a child, `is_unread` means that its steps were not read,
    and `has_more` that only the first ones are shown. Of a wait that has not ended, `step` is its
    timeout, which is recorded, and `wait_number` its own number.
    """

    label: str
    icon: str
    state: str
    spans: tuple[Span, ...] = ()
    parts: tuple[Span, ...] = ()
    depth: int = 0
    step: StepRow | None = None
    child: WorkflowRow | None = None
    lines: tuple[Line, ...] = ()
    is_unread: bool = False
    has_more: bool = False
    failed: int = 0
    note: str = ""
    retries: int = 0
    retried: int | None = None
    bars: tuple[Bar, ...] = ()
    wait_number: int | None = None
    usual: Usual | None = None
    usual_end: UsualEnd | None = None

    @property
    def is_slow(self) -> bool:
        """Whether it took longer than 95 % of many others."""
        took, usual = self.duration_ms, self.usual
        return took is not None and usual is not None and usual.is_exceeded_by(took)

    @property
    def number(self) -> int | None:
        return self.wait_number or (self.step.function_id if self.step else None)

    @property
    def css(self) -> str:
        return HUES[self.state]

    @property
    def duration_ms(self) -> int | None:
        """The duration of the last span: of a child its run, without its time on the queue."""
        return self.spans[-1].end - self.spans[-1].start if self.spans else None

    @property
    def queued_ms(self) -> int | None:
        return next((each.end - each.start for each in self.spans if each.kind == "queued"), None)

    @property
    def split(self) -> str:
        """How the time of a workflow is made up, in words; empty if it only ran."""
        if self.child is None:
            return ""
        took = {kind: _length(kind, (*self.spans, *self.parts)) for kind in (*WORDS, *PARTS)}
        if not any(ms for kind, ms in took.items() if kind != "extent"):
            return ""
        parts = {of: f" ({took[part]} {word})" for part, (of, word) in PARTS.items() if took[part]}
        told = ((kind, f"{word} {took[kind]}") for kind, word in WORDS.items() if took[kind])
        return ", ".join(words + parts.get(kind, "") for kind, words in told)

    @property
    def indent(self) -> int:
        """The depth as far as it is drawn: names need room, too."""
        return min(self.depth, MAX_INDENT)

    @property
    def zoom(self) -> str | None:
        """The query string that zooms to this line, with a margin on both sides."""
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
        """Where the note is: before the last bar, after it, or on it if there is no room."""
        last = self._last
        if last is None:
            return "on"
        if float(last.x[:-1]) > 50:
            return "before"
        return "after" if self._end < 60 else "on"

    @property
    def note_x(self) -> str:
        last = self._last
        if last is None:
            return "0%"
        return percent(self._end) if self.note_side == "after" else last.x

    @property
    def _last(self) -> Bar | None:
        return next((bar for bar in reversed(self.bars) if bar.kind not in WITHIN), None)

    @property
    def _end(self) -> float:
        last = self._last
        return 0.0 if last is None else float(last.x[:-1]) + float(last.width[:-1])


@dataclass(frozen=True, slots=True)
class LiveEdge:
    """The current activity of a workflow, for the last line of the chart; not a recorded step."""

    label: str
    since: int
    is_wait: bool
    retried: int | None = None
    retries: int = 0


def _length(kind: str, spans: Iterable[Span]) -> str:
    """The duration of the spans of a kind, empty if there are none."""
    took = sum(each.end - each.start for each in spans if each.kind == kind)
    return duration(took) if took else ""
