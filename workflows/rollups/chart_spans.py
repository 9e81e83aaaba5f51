"""The spans of time that charts can show, and the one that fits what is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dboshub.workflows.models.rollups import HOUR, MINUTE

DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class ChartSpan:
    """The last `length` ms, in bars of `step` ms. `key` is its name in an address."""

    key: str
    length: int
    step: int
    words: str
    bar: str


CHART_SPANS = (
    ChartSpan("15m", 15 * MINUTE, MINUTE, "15 min", "a minute"),
    ChartSpan("1h", HOUR, MINUTE, "1 h", "a minute"),
    ChartSpan("6h", 6 * HOUR, 5 * MINUTE, "6 h", "five minutes"),
    ChartSpan("24h", DAY, 15 * MINUTE, "24 h", "a quarter of an hour"),
    ChartSpan("7d", 7 * DAY, 2 * HOUR, "7 d", "two hours"),
    ChartSpan("30d", 30 * DAY, 6 * HOUR, "30 d", "six hours"),
)
USUAL = CHART_SPANS[3]


def chosen_span(
    key: str, first: Callable[[], int | None], now: int, spans: Sequence[ChartSpan] = CHART_SPANS
) -> ChartSpan:
    """The span of a key; without one the shortest that reaches back to `first`, USUAL at most.

    `first` returns when there began to be something to show (epoch ms), or None if nobody knows.
    """
    for each in spans:
        if each.key == key:
            return each
    begun = first()
    if begun is None:
        return USUAL
    shorter = (each for each in spans if each.length < USUAL.length)
    return next((each for each in shorter if now - begun <= each.length), USUAL)
