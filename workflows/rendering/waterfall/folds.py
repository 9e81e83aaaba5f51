"""Folds lines of a waterfall that repeat: many of one name, or rounds such as call and sleep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dboshub.workflows.rendering.waterfall.lines import Line, Span

# From this number on, consecutive steps of one name, or rounds of some, are folded into one line.
MIN_FOLDED = 6
# Steps of a round that is recognised.
MAX_ROUND = 3
# A folded line has the first of these states that one of its lines has, or else "done".
FIRST_SHOWN = ("failed", "running", "waiting", "queued")


# The label of a line, whether it is a child, and whether it failed.
Key = tuple[str, bool, bool]


def folded(lines: Sequence[Line]) -> list[Line]:
    """The lines, with those that repeat in one line that contains them."""
    keys = [(line.label, line.child is not None, line.state == "failed") for line in lines]
    found: list[Line] = []
    at = 0
    while at < len(lines):
        size, rounds = _repeated(keys, at)
        count = size * rounds
        found.append(_fold(lines[at : at + count], size) if rounds > 1 else lines[at])
        at += count
    return found


def _repeated(keys: Sequence[Key], at: int) -> tuple[int, int]:
    """The size of the round that begins here, and how often it comes; (1, 1) if it is not many.

    A line of one name may fail and another not. Rounds are the same in that, too: one that fails
    where others do not is what somebody looks for.
    """
    for size in range(1, MAX_ROUND + 1):
        rounds = 1
        while _alike(keys, at, at + rounds * size, size):
            rounds += 1
        if rounds >= MIN_FOLDED:
            return size, rounds
    return 1, 1


def _alike(keys: Sequence[Key], one: int, other: int, size: int) -> bool:
    if other + size > len(keys):
        return False
    if size == 1:
        return keys[one][:2] == keys[other][:2]
    return keys[one : one + size] == keys[other : other + size]


def _fold(same: Sequence[Line], size: int) -> Line:
    failed = [line for line in same if line.state == "failed"]
    states = {line.state for line in same}
    spans = [span for line in same for span in line.spans]
    extent: tuple[Span, ...] = ()
    if spans:
        extent = (Span("extent", min(s.start for s in spans), max(s.end for s in spans)),)
    rounds = len(same) // size
    # Of rounds the order tells the story, of one name the failures do.
    others = [line for line in same if line.state != "failed"]
    shown = same if size > 1 else [*failed, *others]
    label = f"{rounds} of {same[0].label}"
    if size > 1:
        label = f"{rounds} rounds of {', '.join(line.label for line in same[:size])}"
    return Line(
        label,
        same[0].icon if size == 1 else "rotate-ccw",
        next((each for each in FIRST_SHOWN if each in states), "done"),
        extent,
        depth=same[0].depth,
        lines=tuple(_deeper(line) for line in shown),
        failed=len(failed),
    )


def _deeper(line: Line) -> Line:
    return replace(line, depth=line.depth + 1, lines=tuple(map(_deeper, line.lines)))
