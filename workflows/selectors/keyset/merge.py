"""Merges keyset ranges in order until a page is full, the ranges end, or the time is spent.

The result is in order and without gaps: a row is returned only when no range can still have a row
before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dboshub.workflows.selectors.keyset.ranges import (
    Direction,
    KeysetRange,
    Position,
    position_after,
)
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.storage.stored_values import LARGEST, SMALLEST

BUDGET_S = 0.2
MAX_CHUNK = 10_000

Order = tuple[int, int]


@dataclass(frozen=True, slots=True)
class MergedRows:
    """`reached` is the position to continue from, None at the end. `is_cut_short` means that the
    time ran out before the page was full."""

    rows: list[WorkflowRow]
    positions: list[Position]
    reached: Position | None
    is_cut_short: bool


@dataclass(frozen=True, slots=True)
class RangeMerge:
    """Reads some ranges in one direction. `budget_s` is a time in seconds on `clock`."""

    session: Session
    ranges: Sequence[KeysetRange]
    direction: Direction
    clock: Callable[[], float]
    budget_s: float = BUDGET_S

    def take(self, want: int, *, start: Position | None, chunk: int) -> MergedRows:
        """At most `want` rows after `start`; the first chunk of a range has about `chunk` rows."""
        ranks = self._move_to_start(start)
        begun, chunks = self.clock(), dict.fromkeys(ranks, chunk)
        waiting: list[tuple[Order, WorkflowRow, Position]] = []
        fresh = {each.key for each in self.ranges}
        while True:
            ready = self._ready(waiting, ranks)
            unread = [each for each in self.ranges if not each.is_done]
            is_late = not fresh and self.clock() - begun > self.budget_s
            if len(ready) >= want or not unread or is_late:
                return self._found(ready[:want], want, unread, ranks)
            behind = min(unread, key=lambda each: self._lowest_next(each, ranks))
            fresh.discard(behind.key)
            chunk = chunks[behind.key]
            rows = behind.advance(self.session, self.direction, want=want, chunk=chunk)
            chunks[behind.key] = min(chunk * 5, MAX_CHUNK)
            for row in rows:
                position = position_after(row, behind)
                waiting.append((self._order(position, ranks), row, position))

    def _move_to_start(self, start: Position | None) -> dict[str, int]:
        """Move all ranges to the start; return their order among rows of equal time."""
        keys = {each.key for each in self.ranges} | ({start.range_key} if start else set())
        ranks = {key: rank * -self.direction.step for rank, key in enumerate(sorted(keys))}
        for each in self.ranges:
            if start is None:
                each.position = None
            elif ranks[each.key] == ranks[start.range_key]:
                each.position = start
            elif ranks[each.key] < ranks[start.range_key]:
                past = start.at + self.direction.step
                each.position = Position(min(max(past, SMALLEST), LARGEST), each.key)
            else:
                each.position = Position(start.at, each.key)
        return ranks

    def _order(self, position: Position, ranks: dict[str, int]) -> Order:
        return position.at * self.direction.step, ranks[position.range_key]

    def _lowest_next(self, each: KeysetRange, ranks: dict[str, int]) -> Order:
        """The lowest position that the next row of a range can have."""
        if each.position is None:
            return -(2**63), ranks[each.key]
        return self._order(each.position, ranks)

    def _ready(
        self, waiting: list[tuple[Order, WorkflowRow, Position]], ranks: dict[str, int]
    ) -> list[tuple[WorkflowRow, Position]]:
        fronts = [self._lowest_next(each, ranks) for each in self.ranges if not each.is_done]
        # The sort is stable: within a range, rows keep the order of the database.
        ordered = sorted(waiting, key=lambda each: each[0])
        return [
            (row, position)
            for order, row, position in ordered
            if not fronts or order <= min(fronts)
        ]

    def _found(
        self,
        ready: list[tuple[WorkflowRow, Position]],
        want: int,
        unread: Sequence[KeysetRange],
        ranks: dict[str, int],
    ) -> MergedRows:
        rows, positions = [row for row, _ in ready], [position for _, position in ready]
        if len(rows) == want:
            return MergedRows(rows, positions, positions[-1], is_cut_short=False)
        if not unread:
            return MergedRows(rows, positions, None, is_cut_short=False)
        behind = min(unread, key=lambda each: self._lowest_next(each, ranks))
        return MergedRows(rows, positions, behind.position, is_cut_short=True)
