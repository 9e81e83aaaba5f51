"""The steps of two workflows in pairs, a page at a time, and the place where they diverge.

A page costs at most MAX_ROUNDS times two statements of WINDOW rows. No payload is read here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from dboshub.workflows.selectors.comparison.alignment import align
from dboshub.workflows.selectors.detail.steps import FORWARD, StepRow, from_records
from dboshub.workflows.storage.sql import Session, Statement

# Steps of each workflow that are aligned at once, and the pairs of a page.
WINDOW = 150
MAX_ROUNDS = 4
# Steps of each workflow that one statement compares by their place.
CHUNK = 10_000
BUDGET_S = 0.2

# Up to the first divergence, both have the same step at the same place.
DIVERGENCE = Statement("""
    SELECT MIN(CASE WHEN number < 2 OR name <> other OR failed <> fails THEN place END), MAX(place)
    FROM (
        SELECT place, COUNT(*) AS number, MIN(function_name) AS name, MAX(function_name) AS other,
            MIN(is_failed) AS failed, MAX(is_failed) AS fails
        FROM (
            SELECT function_id - :left AS place, function_name,
                CASE WHEN error IS NULL THEN 0 ELSE 1 END AS is_failed
            FROM {operation_outputs}
            WHERE workflow_uuid = :left_id AND function_id >= :left AND function_id < :left_end
            UNION ALL
            SELECT function_id - :right, function_name, CASE WHEN error IS NULL THEN 0 ELSE 1 END
            FROM {operation_outputs}
            WHERE workflow_uuid = :right_id AND function_id >= :right AND function_id < :right_end
        ) AS steps
        GROUP BY place
    ) AS places
""")


@dataclass(frozen=True, slots=True)
class Place:
    """A step id in each of the two workflows."""

    left: int = 0
    right: int = 0

    def moved(self, by: int) -> Place:
        return Place(max(0, self.left + by), max(0, self.right + by))


@dataclass(frozen=True, slots=True)
class StepPair:
    """A step of each workflow with the same name, or a step that only one of them has."""

    left: StepRow | None
    right: StepRow | None

    @property
    def step(self) -> StepRow:
        found = self.left or self.right
        assert found is not None
        return found

    @property
    def is_matched(self) -> bool:
        return self.left is not None and self.right is not None

    @property
    def has_same_outcome(self) -> bool:
        if self.left is None or self.right is None:
            return False
        return self.left.is_failed == self.right.is_failed


@dataclass(frozen=True, slots=True)
class PairPage:
    """Consecutive pairs from a place on. `next` is where the next page begins, None at the end."""

    pairs: tuple[StepPair, ...]
    place: Place
    next: Place | None


@dataclass(frozen=True, slots=True)
class Divergence:
    """Where two workflows first have different steps or outcomes.

    `at` is None if they do not diverge before `looked_to`; that is None if all steps were compared.
    """

    at: Place | None
    looked_to: Place | None = None


@dataclass(slots=True)
class _Side:
    """The unread steps of one workflow from the step id `start` on."""

    workflow_id: str
    start: int
    steps: list[StepRow] = field(default_factory=list)
    has_more: bool = True

    def read(self, session: Session) -> None:
        found = from_records(
            session.all(FORWARD, id=self.workflow_id, bound=self.start, most=WINDOW + 1)
        )
        self.steps, self.has_more = found[:WINDOW], len(found) > WINDOW

    def take(self, number: int) -> None:
        """Go on behind the first `number` steps."""
        if number:
            self.start = self.steps[number - 1].function_id + 1
            self.steps = self.steps[number:]

    @property
    def is_at_end(self) -> bool:
        return not self.steps and not self.has_more


def page(session: Session, left_id: str, right_id: str, place: Place) -> PairPage:
    """About WINDOW pairs from a place on."""
    left, right = _Side(left_id, place.left), _Side(right_id, place.right)
    pairs: list[StepPair] = []
    for _ in range(MAX_ROUNDS):
        left.read(session)
        right.read(session)
        taken = _aligned(left, right)
        left.take(sum(pair.left is not None for pair in taken))
        right.take(sum(pair.right is not None for pair in taken))
        pairs += taken
        if len(pairs) >= WINDOW or (left.is_at_end and right.is_at_end):
            break
    is_end = left.is_at_end and right.is_at_end
    return PairPage(tuple(pairs), place, None if is_end else Place(left.start, right.start))


def _aligned(left: _Side, right: _Side) -> list[StepPair]:
    """The pairs of two windows, without those at the end that later steps may still match."""
    places = align([step.name for step in left.steps], [step.name for step in right.steps])
    pairs = [
        StepPair(
            None if one is None else left.steps[one], None if other is None else right.steps[other]
        )
        for one, other in places
    ]
    if not left.has_more and not right.has_more:
        return pairs
    matched = [at for at, pair in enumerate(pairs) if pair.is_matched]
    if matched:
        return pairs[: matched[-1] + 1]
    # Nothing matches: the steps of the longer workflow are more than the other one has.
    if left.has_more == right.has_more:
        return pairs
    return [pair for pair in pairs if (pair.left is not None) == left.has_more]


def first_divergence(
    session: Session,
    left_id: str,
    right_id: str,
    place: Place,
    *,
    budget_s: float = BUDGET_S,
    clock: Callable[[], float] = time.monotonic,
) -> Divergence:
    """The first divergence from a place on; reads CHUNK steps after CHUNK until time is spent."""
    begun = clock()
    while True:
        found = session.one(
            DIVERGENCE,
            left_id=left_id,
            right_id=right_id,
            left=place.left,
            right=place.right,
            left_end=place.left + CHUNK,
            right_end=place.right + CHUNK,
        )
        at, last = found or (None, None)
        if at is not None:
            return Divergence(place.moved(at))
        if last is None:
            return Divergence(None)
        place = place.moved(CHUNK)
        if clock() - begun >= budget_s:
            return Divergence(None, place)
