"""Reading lanes side by side until a page is full, they end, or the time is spent.

What is given out is in order and without gaps: a row waits until no lane can still bring
one that comes before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dboshub.workflows.selectors.keyset.ranges import Direction, KeysetRange, Position
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.sql import Session

BUDGET_S = 0.2
LARGEST_CHUNK = 10_000

Order = tuple[int, int]


@dataclass(frozen=True, slots=True)
class MergedRows:
    """`reached` is where to go on; None when there is nothing more that way."""

    rows: list[WorkflowRow]
    positions: list[Position]
    reached: Position | None
    is_cut_short: bool


@dataclass(frozen=True, slots=True)
class RangeMerge:
    """One reading of some lanes, in one direction."""

    session: Session
    ranges: Sequence[KeysetRange]
    direction: Direction
    clock: Callable[[], float]
    budget_s: float = BUDGET_S

    def take(self, want: int, *, start: Position | None, chunk: int) -> MergedRows:
        """Give up to `want` rows past `start`, beginning with chunks of about `chunk` rows."""
        ranks = self._place_ranges(start)
        begun, chunks = self.clock(), dict.fromkeys(ranks, chunk)
        waiting: list[tuple[Order, WorkflowRow, Position]] = []
        fresh = {lane.key for lane in self.ranges}
        while True:
            ready = self._ready(waiting, ranks)
            unread = [lane for lane in self.ranges if not lane.is_done]
            is_late = not fresh and self.clock() - begun > self.budget_s
            if len(ready) >= want or not unread or is_late:
                return self._found(ready[:want], want, unread, ranks)
            lane = min(unread, key=lambda lane: self._next_possible_key(lane, ranks))
            fresh.discard(lane.key)
            rows = lane.advance(self.session, self.direction, want=want, chunk=chunks[lane.key])
            chunks[lane.key] = min(chunks[lane.key] * 5, LARGEST_CHUNK)
            for row in rows:
                place = Position(getattr(row, lane.column), lane.key, row.workflow_uuid)
                waiting.append((self._order(place, ranks), row, place))

    def _place_ranges(self, start: Position | None) -> dict[str, int]:
        """Place every lane at the start; how lanes are ordered among rows of one moment."""
        keys = {lane.key for lane in self.ranges} | ({start.range_key} if start else set())
        ranks = {key: rank * -self.direction.step for rank, key in enumerate(sorted(keys))}
        for lane in self.ranges:
            if start is None:
                lane.position = None
            elif ranks[lane.key] == ranks[start.range_key]:
                lane.position = start
            elif ranks[lane.key] < ranks[start.range_key]:
                lane.position = Position(start.at + self.direction.step, lane.key)
            else:
                lane.position = Position(start.at, lane.key)
        return ranks

    def _order(self, place: Position, ranks: dict[str, int]) -> Order:
        return place.at * self.direction.step, ranks[place.range_key]

    def _next_possible_key(self, lane: KeysetRange, ranks: dict[str, int]) -> Order:
        """The least place where the lane's next row can be."""
        if lane.position is None:
            return -(2**63), ranks[lane.key]
        return self._order(lane.position, ranks)

    def _ready(
        self, waiting: list[tuple[Order, WorkflowRow, Position]], ranks: dict[str, int]
    ) -> list[tuple[WorkflowRow, Position]]:
        fronts = [self._next_possible_key(lane, ranks) for lane in self.ranges if not lane.is_done]
        # The sort is stable: within a lane rows keep the order the database gave them.
        ordered = sorted(waiting, key=lambda each: each[0])
        return [(row, place) for order, row, place in ordered if not fronts or order <= min(fronts)]

    def _found(
        self,
        ready: list[tuple[WorkflowRow, Position]],
        want: int,
        unread: Sequence[KeysetRange],
        ranks: dict[str, int],
    ) -> MergedRows:
        rows, positions = [row for row, _ in ready], [place for _, place in ready]
        if len(rows) == want:
            return MergedRows(rows, positions, positions[-1], is_cut_short=False)
        if not unread:
            return MergedRows(rows, positions, None, is_cut_short=False)
        behind = min(unread, key=lambda lane: self._next_possible_key(lane, ranks))
        return MergedRows(rows, positions, behind.position, is_cut_short=True)
