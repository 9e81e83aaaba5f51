"""A time axis in percent on which long gaps without activity are shortened. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dboshub.workflows.rendering.time_format import duration

# A gap is shortened if it takes at least this share of the axis; then it is this wide (percent).
CUT_FROM = 0.2
CUT_WIDTH = 5.0
MIN_CUT_MS = 1_000
MAX_CUTS = 6
MAX_TICKS = 5
# The least distance of two labels (percent): each has room on a narrow axis.
LABEL_WIDTH = 12.0
# The shortest axis: times are recorded in whole milliseconds.
MIN_SPAN_MS = 4
NICE_MS = (
    1,
    2,
    5,
    10,
    20,
    50,
    100,
    200,
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    15_000,
    30_000,
    60_000,
    120_000,
    300_000,
    600_000,
    900_000,
    1_800_000,
    3_600_000,
    7_200_000,
    21_600_000,
    43_200_000,
    86_400_000,
)

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class AxisSegment:
    """A part of the axis, drawn to scale or shortened (`is_cut`)."""

    start: int
    end: int
    left: float
    right: float
    is_cut: bool = False

    @property
    def label(self) -> str:
        return duration((self.end - self.start) // 1_000 * 1_000)

    @property
    def width(self) -> str:
        return percent(self.right - self.left)

    @property
    def x(self) -> str:
        return percent(self.left)

    @property
    def middle(self) -> str:
        return percent((self.left + self.right) / 2)


@dataclass(frozen=True, slots=True)
class Tick:
    """A grid line; `after_ms` is its distance from the origin."""

    x: str
    after_ms: int

    @property
    def label(self) -> str:
        return duration(self.after_ms) if self.after_ms else "0"


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps times (epoch ms) to positions from 0 to 100. Ticks count from `origin`."""

    segments: tuple[AxisSegment, ...]
    origin: int

    @property
    def start(self) -> int:
        return self.segments[0].start

    @property
    def end(self) -> int:
        return self.segments[-1].end

    @property
    def cuts(self) -> list[AxisSegment]:
        return [segment for segment in self.segments if segment.is_cut]

    @property
    def labelled_cuts(self) -> list[AxisSegment]:
        """The shortened gaps whose labels do not touch each other."""
        found: list[AxisSegment] = []
        for cut in self.cuts:
            if not found or cut.left - found[-1].left >= LABEL_WIDTH:
                found.append(cut)
        return found

    def position(self, time: int) -> float:
        """The position of a time; a time beyond the axis is at its end."""
        for segment in self.segments:
            if time <= segment.end:
                length = segment.end - segment.start or 1
                share = min(1.0, max(0, time - segment.start) / length)
                return segment.left + (segment.right - segment.left) * share
        return 100.0

    def time(self, position: float) -> int:
        """The time at a position: the inverse of `position`."""
        for segment in self.segments:
            if position <= segment.right:
                share = (position - segment.left) / ((segment.right - segment.left) or 1)
                return segment.start + round((segment.end - segment.start) * max(0.0, share))
        return self.end

    @property
    def data(self) -> str:
        """All segments as numbers, for the script that shows the time under the pointer."""
        return " ".join(
            f"{each.start},{each.end},{each.left:.3f},{each.right:.3f}" for each in self.segments
        )

    def ticks(self) -> list[Tick]:
        """Grid lines at round distances from the origin, none in a shortened gap or at the end."""
        drawn = sum(each.end - each.start for each in self.segments if not each.is_cut)
        step = next(
            (nice for nice in NICE_MS if drawn / nice <= MAX_TICKS), drawn // MAX_TICKS or 1
        )
        found: list[Tick] = []
        for segment in self.segments:
            if segment.is_cut:
                continue
            first = -(-(segment.start - self.origin) // step)
            last = (segment.end - self.origin) // step
            for number in range(first, min(last, first + 2 * MAX_TICKS) + 1):
                at = self.position(self.origin + number * step)
                # The label is to the right of its line.
                has_room = at <= min(segment.right - 2, 100 - LABEL_WIDTH)
                if not found or (has_room and at - float(found[-1].x[:-1]) >= LABEL_WIDTH):
                    found.append(Tick(percent(at), number * step))
        return found


def percent(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") + "%"


def query(start: int, end: int) -> str:
    """The query string that zooms to this time."""
    return f"from={start}&to={end}"


def scale(start: int, end: int, active: Iterable[Interval], *, origin: int | None = None) -> Scale:
    """An axis from start to end (epoch ms); long gaps between `active` intervals are shortened."""
    end = max(end, start + 1)
    cuts = _cuts(_gaps(start, end, active), end - start)
    width = 100.0 - CUT_WIDTH * len(cuts)
    drawn = (end - start - sum(stop - begin for begin, stop in cuts)) or 1
    found: list[AxisSegment] = []
    time, left = start, 0.0
    for begin, stop in [*cuts, (end, end)]:
        right = left + width * (begin - time) / drawn
        if begin > time:
            found.append(AxisSegment(time, begin, left, right))
        if stop > begin:
            found.append(AxisSegment(begin, stop, right, right + CUT_WIDTH, is_cut=True))
            right += CUT_WIDTH
        time, left = stop, right
    return Scale(tuple(found), start if origin is None else origin)


def _gaps(start: int, end: int, active: Iterable[Interval]) -> list[Interval]:
    """The gaps between active intervals, longest first."""
    found: list[Interval] = []
    reached = start
    for begin, stop in sorted(active):
        if begin > reached:
            found.append((reached, min(begin, end)))
        reached = max(reached, stop)
    if reached < end:
        found.append((reached, end))
    return sorted(found, key=lambda gap: gap[0] - gap[1])


def _cuts(gaps: list[Interval], whole: int) -> list[Interval]:
    """The gaps to shorten, in order of time. Each one increases the share of the next gap."""
    taken: list[Interval] = []
    left = whole
    for begin, stop in gaps[:MAX_CUTS]:
        length = stop - begin
        if length < MIN_CUT_MS or length < left * CUT_FROM:
            break
        # Without a margin, the bars on both sides would touch the shortened gap.
        margin = min(length // 20, max(1, (whole - length) // 20))
        taken.append((begin + margin, stop - margin))
        left -= length
    return sorted(taken)
