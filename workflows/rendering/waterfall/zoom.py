"""Zoom of a waterfall to a part of its time, and the links to other parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from dboshub.workflows.rendering.waterfall.lines import Line
from dboshub.workflows.rendering.waterfall.scale import MIN_SPAN_MS, Interval, Scale, query

MAX_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Zoom:
    """The shown part (`axis`) of the `whole` time. Each link is a query string or None.

    `is_on` means that the part was asked for; a page of many steps shows their part of itself.
    `left_out` is the number of lines without a span in the shown time.
    """

    axis: Scale
    whole: Interval
    is_on: bool = False
    left_out: int = 0

    @property
    def is_part(self) -> bool:
        shortest = max(self.whole[1], self.whole[0] + 1)
        return self.is_on or (self.axis.start, self.axis.end) != (self.whole[0], shortest)

    @property
    def closer(self) -> str | None:
        start, end = self.axis.time(25), self.axis.time(75)
        return query(start, end) if end - start >= MIN_SPAN_MS else None

    @property
    def wider(self) -> str | None:
        length = self.axis.end - self.axis.start
        start = max(self.axis.start - length // 2, self.whole[0])
        end = min(self.axis.end + length // 2, self.whole[1])
        return query(start, end) if self.is_part and start < end else None

    @property
    def earlier(self) -> str | None:
        return self._panned(-1) if self.is_part and self.axis.start > self.whole[0] else None

    @property
    def later(self) -> str | None:
        return self._panned(1) if self.is_part and self.axis.end < self.whole[1] else None

    def _panned(self, direction: int) -> str:
        length = self.axis.end - self.axis.start
        by = direction * max(1, length // 2)
        start = max(self.whole[0], min(self.axis.start + by, self.whole[1] - length))
        return query(start, start + length)


def asked(start: str, end: str) -> Interval | None:
    """The interval of a query string in epoch ms, or None."""
    given = [text.isascii() and text.isdecimal() for text in (start, end)]
    if not all(given) or max(len(start), len(end)) > MAX_DIGITS:
        return None
    return (int(start), int(end)) if int(start) < int(end) else None


def within(lines: Iterable[Line], window: Interval) -> Iterator[Line]:
    """The lines that have a span in this time, and their folded lines likewise."""
    for line in lines:
        if any(span.start <= window[1] and span.end >= window[0] for span in line.spans):
            yield replace(line, lines=tuple(within(line.lines, window)))
