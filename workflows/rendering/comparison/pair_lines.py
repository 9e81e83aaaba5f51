"""The steps of two workflows as lines: what differs, with the durations side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from dboshub.workflows.payloads.comparison import is_same
from dboshub.workflows.payloads.redacted import readable
from dboshub.workflows.rendering.comparison.fact_rows import delta
from dboshub.workflows.rendering.waterfall.scale import percent
from dboshub.workflows.rendering.waterfall.step_lines import ICONS
from dboshub.workflows.selectors.comparison import outputs
from dboshub.workflows.selectors.comparison.step_pairs import Place, StepPair
from dboshub.workflows.selectors.detail.steps import WAITS, StepRow
from dboshub.workflows.selectors.detail.values import StoredValue
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.sql import Session

# From this number on, consecutive steps that are alike, or only in one of the two, are folded.
MIN_FOLDED = 6
CONTEXT = 2
# In percent, so that a step without duration is visible.
MIN_BAR_WIDTH = 0.6
WORDS = {
    "outcome": "the outcome differs",
    "data": "the output differs",
    "left": "only in A",
    "right": "only in B",
}
FOLDED = {"same": "steps alike", "left": "more steps only in A", "right": "more steps only in B"}


@dataclass(frozen=True, slots=True)
class Bar:
    css: str
    width: str
    y: int


@dataclass(frozen=True, slots=True)
class PairLine:
    """A pair of steps. `state` is "same", or what differs: a key of WORDS.

    `is_compared` tells whether the outputs were compared, too.
    """

    pair: StepPair
    state: str
    is_compared: bool
    is_first: bool
    bars: tuple[Bar, ...]

    @property
    def is_too_large(self) -> bool:
        """Whether the outputs could be compared, and were not."""
        same = self.pair.has_same_outcome and not self.pair.step.is_timer
        return same and not self.is_compared

    @property
    def word(self) -> str:
        return WORDS.get(self.state, "")

    @property
    def icon(self) -> str:
        step = self.pair.step
        return "workflow" if step.starts_child else ICONS.get(step.name, "box")

    @property
    def delta(self) -> str:
        left, right = self.pair.left, self.pair.right
        if left is None or right is None or left.is_timer:
            return ""
        return delta(left.duration_ms, right.duration_ms)


@dataclass(frozen=True, slots=True)
class Fold:
    """Consecutive lines; `title` says what is folded, and is empty if they are shown."""

    lines: tuple[PairLine, ...]
    title: str


def compared_outputs(
    session: Session, left: WorkflowRow, right: WorkflowRow, pairs: Sequence[StepPair]
) -> dict[int, bool]:
    """Whether the outputs are the same, by place of the pair; too large ones are left out.

    Only for users who may see payloads. Redacted parts count as the same.
    """
    wanted = {at: pair for at, pair in enumerate(pairs) if outputs.is_comparable(pair)}
    some = outputs.outputs(session, left.pk, _steps(pair.left for pair in wanted.values()))
    others = outputs.outputs(session, right.pk, _steps(pair.right for pair in wanted.values()))
    found: dict[int, bool] = {}
    for at, pair in wanted.items():
        assert pair.left is not None
        assert pair.right is not None
        one, other = some.get(pair.left.function_id), others.get(pair.right.function_id)
        answer = None if one is None or other is None else same_values(one, other)
        if answer is not None:
            found[at] = answer
    return found


def same_values(one: StoredValue, other: StoredValue) -> bool | None:
    """Whether two stored values are the same but for redacted parts; None if it is not known."""
    if (one.text, one.serialization) == (other.text, other.serialization):
        return True
    return is_same(readable(one.text, one.serialization), readable(other.text, other.serialization))


def pair_lines(
    pairs: Sequence[StepPair], same: Mapping[int, bool], first: Place | None
) -> list[Fold]:
    """The lines in order; `same` are the results of `compared_outputs`, `first` is the place of
    the first divergence."""
    longest = max((_took(step) for pair in pairs for step in (pair.left, pair.right)), default=0)
    marked = next((at for at, pair in enumerate(pairs) if _is_at(pair, first)), None)
    lines = [
        PairLine(
            pair,
            _state(pair, same.get(at)),
            at in same,
            at == marked,
            tuple(_bars(pair, longest or 1)),
        )
        for at, pair in enumerate(pairs)
    ]
    return list(_folded(lines))


def _steps(steps: Iterable[StepRow | None]) -> Iterator[StepRow]:
    return (step for step in steps if step is not None)


def _state(pair: StepPair, is_data_same: bool | None) -> str:
    if pair.right is None:
        return "left"
    if pair.left is None:
        return "right"
    if not pair.has_same_outcome:
        return "outcome"
    return "data" if is_data_same is False else "same"


def _is_at(pair: StepPair, place: Place | None) -> bool:
    """Whether a step of this pair is at the place of the first divergence."""
    if place is None:
        return False
    if pair.left is not None:
        return pair.left.function_id == place.left
    return pair.right is not None and pair.right.function_id == place.right


def _took(step: StepRow | None) -> int:
    """How long a step ran. Waits are left out: beside them, no other bar would be seen."""
    return 0 if step is None or step.name in WAITS else step.duration_ms or 0


def _bars(pair: StepPair, longest: int) -> Iterator[Bar]:
    for side, y, step in (("a", 3, pair.left), ("b", 11, pair.right)):
        if step is not None and step.name not in WAITS:
            width = max(100 * _took(step) / longest, MIN_BAR_WIDTH)
            yield Bar(f"pair-bar-{side}", percent(width), y)


def _folded(lines: list[PairLine]) -> Iterator[Fold]:
    """Fold what is alike, but for CONTEXT lines before and after what differs, and likewise the
    rest of a stretch that only one has."""
    for state, group in groupby(lines, lambda line: line.state):
        found = tuple(group)
        start = 0 if state == "same" and found[0] is lines[0] else CONTEXT
        end = len(found)
        if state == "same" and found[-1] is not lines[-1]:
            end -= CONTEXT
        if state not in FOLDED or end - start < MIN_FOLDED:
            yield Fold(found, "")
            continue
        if start:
            yield Fold(found[:start], "")
        yield Fold(found[start:end], FOLDED[state])
        if end < len(found):
            yield Fold(found[end:], "")
