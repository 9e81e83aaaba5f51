"""Pages of the workflow list by keyset, newest first.

Rows that are added or deleted between two pages neither repeat nor hide other rows.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

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
from dboshub.workflows.storage.stored_values import LARGEST, SMALLEST

PAGE_SIZE = 50
CURSOR = re.compile(r"(-?\d{1,19})~(\w{0,64})~(.*)", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Page:
    """`older` and `newer` are cursors. `searched_to` (epoch ms) is set if the time ran out;
    `is_backward` if the search went from older rows to newer ones."""

    rows: list[WorkflowRow]
    older: str | None = None
    newer: str | None = None
    searched_to: int | None = None
    is_backward: bool = False

    @property
    def is_first(self) -> bool:
        return self.newer is None

    @property
    def goes_on_older(self) -> bool:
        """Whether the search for older rows ran out of time."""
        return self.searched_to is not None and not self.is_backward

    @property
    def goes_on_newer(self) -> bool:
        """Whether the search for newer rows ran out of time."""
        return self.searched_to is not None and self.is_backward


@dataclass(frozen=True, slots=True)
class WorkflowPager:
    """Reads pages of one filter for one viewer.

    The first chunk of a search has `first_chunk` rows, by default as many as a page may need.
    """

    session: Session
    criteria: Criteria
    viewer: Viewer = EVERYTHING
    size: int = PAGE_SIZE
    clock: Callable[[], float] = time.monotonic
    budget_s: float = BUDGET_S
    first_chunk: int | None = None

    def first(self) -> Page:
        return self.after(None)

    def after(self, cursor: Position | None) -> Page:
        """The rows that are older than a position; None begins with the newest."""
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
        """The rows just newer than a position; the first page if fewer than a page are newer."""
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
            is_backward=True,
        )

    def _merge(self, direction: Direction, cursor: Position | None) -> MergedRows:
        if cursor and self.session.vendor != "sqlite":
            # No other database stores a NUL, or takes one as a parameter.
            stored = cursor.workflow_uuid.partition("\x00")[0]
            cursor = replace(cursor, workflow_uuid=stored)
        ranges = plan_ranges(self.session, self.criteria, self.viewer)
        merge = RangeMerge(self.session, ranges, direction, self.clock, self.budget_s)
        # One row more than is shown tells whether there is another page.
        want = self.size + 1
        chunk = self.first_chunk or want * (4 if _checks(ranges) else 1)
        return merge.take(want, start=cursor, chunk=chunk)


def write_cursor(position: Position) -> str:
    return f"{position.at}~{position.range_key}~{position.workflow_uuid}"


def read_cursor(text: str) -> Position | None:
    """The position of a cursor; None if it is malformed."""
    found = CURSOR.fullmatch(text)
    if found is None or not SMALLEST <= int(found[1]) <= LARGEST:
        return None
    return Position(int(found[1]), found[2], found[3])


def _newer(found: MergedRows, cursor: Position) -> str:
    """The cursor back from the first row, or from the start of an empty page."""
    return write_cursor(found.positions[0] if found.positions else cursor)


def _checks(ranges: list[KeysetRange]) -> bool:
    return any(isinstance(each, IndexRange) and each.predicates for each in ranges)
