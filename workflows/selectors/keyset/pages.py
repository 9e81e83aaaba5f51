"""One page of the workflow list, newest first, by keyset: rows added or deleted meanwhile
neither repeat nor hide others."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from dboshub.workflows.search.criteria import Criteria
from dboshub.workflows.selectors.keyset.merge import BUDGET_S, MergedRows, RangeMerge
from dboshub.workflows.selectors.keyset.plan import plan_ranges
from dboshub.workflows.selectors.keyset.ranges import (
    NEWER,
    OLDER,
    Direction,
    IndexRange,
    KeysetRange,
    Position,
)
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.selectors.scope import EVERYTHING, Viewer
from dboshub.workflows.storage.sql import Session

PAGE_SIZE = 50
CURSOR = re.compile(r"(-?\d{1,18})~(\w{0,64})~([^\x00]*)", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Page:
    """`older` and `newer` are cursors; `searched_to` is set where a walk stopped early."""

    rows: list[WorkflowRow]
    older: str | None = None
    newer: str | None = None
    searched_to: int | None = None

    @property
    def is_first(self) -> bool:
        return self.newer is None


@dataclass(frozen=True, slots=True)
class WorkflowPager:
    """Reads pages of one filter for one viewer."""

    session: Session
    criteria: Criteria
    viewer: Viewer = EVERYTHING
    size: int = PAGE_SIZE
    clock: Callable[[], float] = time.monotonic
    budget_s: float = BUDGET_S

    def first(self) -> Page:
        return self.after(None)

    def after(self, cursor: Position | None) -> Page:
        """The rows older than a place; None begins with the newest."""
        found = self._merge(OLDER, cursor)
        shown = found.rows[: self.size]
        has_more = len(found.rows) > self.size or found.is_cut_short
        older = found.reached if found.is_cut_short else None
        if len(found.rows) > self.size:
            older = found.positions[self.size - 1]
        return Page(
            rows=shown,
            older=write_cursor(older) if has_more and older else None,
            newer=None if cursor is None else _newer(found, cursor),
            searched_to=found.reached.at if found.is_cut_short and found.reached else None,
        )

    def before(self, cursor: Position) -> Page:
        """The rows just newer than a place; near the newest, the first page, never a short one."""
        found = self._merge(NEWER, cursor)
        if len(found.rows) < self.size and not found.is_cut_short:
            return self.first()
        rows, positions = found.rows[: self.size][::-1], found.positions[: self.size][::-1]
        newer = found.reached if found.is_cut_short else positions[0]
        is_top = len(found.rows) <= self.size and not found.is_cut_short
        return Page(
            rows=rows,
            older=write_cursor(positions[-1] if positions else cursor),
            newer=None if is_top or newer is None else write_cursor(newer),
            searched_to=found.reached.at if found.is_cut_short and found.reached else None,
        )

    def _merge(self, direction: Direction, cursor: Position | None) -> MergedRows:
        ranges = plan_ranges(self.session, self.criteria, self.viewer)
        walk = RangeMerge(self.session, ranges, direction, self.clock, self.budget_s)
        # One more than is shown says whether there are more.
        want = self.size + 1
        return walk.take(want, start=cursor, chunk=want * (4 if _checks(ranges) else 1))


def write_cursor(place: Position) -> str:
    return f"{place.at}~{place.range_key}~{place.workflow_uuid}"


def read_cursor(text: str) -> Position | None:
    """The place a cursor names; None if it is none of ours."""
    found = CURSOR.fullmatch(text)
    return Position(int(found[1]), found[2], found[3]) if found else None


def _newer(found: MergedRows, cursor: Position) -> str:
    """Back from the first row shown; from an empty page, back from where it began."""
    return write_cursor(found.positions[0] if found.positions else cursor)


def _checks(ranges: list[KeysetRange]) -> bool:
    return any(isinstance(lane, IndexRange) and lane.predicates for lane in ranges)
