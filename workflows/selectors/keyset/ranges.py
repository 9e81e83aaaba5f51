"""Keyset ranges of `workflow_status`, ordered by a time column and the id, read in bounded chunks.

The time column is `created_at` or another indexed one. A range covers the rows that one index
serves. No statement examines more rows than its chunk plus MAX_SORTED_TIES, however many rows have
the same time: one bulk enqueue can give it to hundreds of thousands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from dboshub.workflows.search.predicates import Predicate
from dboshub.workflows.selectors.rows import COLUMNS, WorkflowRow, from_record
from dboshub.workflows.storage.sql import Session, cached_statement
from dboshub.workflows.storage.stored_values import whole

# Up to this many rows of equal time are sorted. More are read along the primary key, which has
# their order but contains the rest of the table as well.
MAX_SORTED_TIES = 10_000
# More rows than any chunk holds.
PLANNER_FENCE = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Direction:
    """Towards older rows, or back towards the newest: the SQL words and the sign of a step."""

    order: str
    past: str
    last: str
    step: int

    def order_by(self, column: str) -> str:
        return f"ORDER BY {column} {self.order}, workflow_uuid {self.order}"


OLDER = Direction("DESC", "<", "MIN", -1)
NEWER = Direction("ASC", ">", "MAX", 1)


@dataclass(frozen=True, slots=True)
class Position:
    """Just after one row of a range; without an id, just before all rows of that time."""

    at: int
    range_key: str = ""
    workflow_uuid: str = ""


class KeysetRange(Protocol):
    """A part of the table, in order. It has been read up to `position`."""

    key: str
    column: str
    position: Position | None
    is_done: bool

    def advance(
        self, session: Session, direction: Direction, *, want: int, chunk: int
    ) -> list[WorkflowRow]:
        """Read about `chunk` rows more; return those that match, at most `want`."""


@dataclass(frozen=True, slots=True)
class ChunkBounds:
    """The first and last time of a chunk, its size, and the number of rows with its last time."""

    first: int
    last: int
    size: int
    ties: int


@dataclass(frozen=True, slots=True)
class _Chunk:
    """The rows of one statement: its bounds as WHERE clause with parameters, and the `tie`, a
    condition on the time column, if the chunk lies within the rows of one time."""

    where: str
    params: dict[str, Any]
    tie: str = ""


@dataclass(slots=True)
class IndexRange:
    """The rows that an index on `column` serves for `where`; `predicates` filter them."""

    key: str
    where: Sequence[Predicate]
    predicates: Sequence[Predicate]
    column: str = "created_at"
    position: Position | None = None
    is_done: bool = False
    many_ties_at: int | None = None

    def advance(
        self, session: Session, direction: Direction, *, want: int, chunk: int
    ) -> list[WorkflowRow]:
        at = self.position
        ties = self._ties(session, at.at) if at is not None and at.workflow_uuid else 0
        if at is not None and ties > MAX_SORTED_TIES:
            return self._scan_primary_key(session, direction, at, want, chunk)
        # The chunk begins with the rows of equal time, of which some have been read already.
        bounds = self._chunk_bounds(session, direction, chunk + ties)
        if bounds.ties <= MAX_SORTED_TIES:
            rows = self._take(session, direction, want, until=bounds.last) if bounds.size else []
            self.is_done = bounds.size < chunk + ties and len(rows) < want
            return rows
        self.many_ties_at = bounds.last
        rows = []
        if bounds.first != bounds.last:
            rows = self._take(session, direction, want, until=bounds.last - direction.step)
        if len(rows) < want:
            start = Position(bounds.last, self.key)
            rows += self._scan_primary_key(session, direction, start, want - len(rows), chunk)
        return rows

    def _chunk_bounds(self, session: Session, direction: Direction, chunk: int) -> ChunkBounds:
        """The bounds of the next `chunk` rows of the index."""
        column = self.column
        start = f"{column} {direction.past}= :at" if self.position else ""
        first = "MAX" if direction is OLDER else "MIN"
        found = session.one(
            cached_statement(
                "SELECT first, last, size, "
                "(SELECT COUNT(*) FROM (SELECT 1 FROM {workflow_status} "
                f"{_where(self.where, f'{column} = last')} LIMIT :most) AS same) "
                f"FROM (SELECT {first}({column}) AS first, {direction.last}({column}) AS last, "
                f"COUNT(*) AS size FROM (SELECT {column} FROM {{workflow_status}} "
                f"{_where(self.where, start)} ORDER BY {column} {direction.order} LIMIT :chunk"
                ") AS chunk) AS ends"
            ),
            **_params(self.where),
            **({"at": self.position.at} if self.position else {}),
            chunk=chunk,
            most=MAX_SORTED_TIES + 1,
        )
        assert found is not None
        first, last, size, ties = found
        return ChunkBounds(whole(first), whole(last), size, ties)

    def _ties(self, session: Session, at: int) -> int:
        """The number of rows of one time, up to MAX_SORTED_TIES + 1."""
        if self.many_ties_at == at:
            return MAX_SORTED_TIES + 1
        found = session.one(
            cached_statement(
                "SELECT COUNT(*) FROM (SELECT 1 FROM {workflow_status} "
                f"{_where(self.where, f'{self.column} = :at')} LIMIT :most) AS same"
            ),
            **_params(self.where),
            at=at,
            most=MAX_SORTED_TIES + 1,
        )
        assert found is not None
        if found[0] > MAX_SORTED_TIES:
            self.many_ties_at = at
        return int(found[0])

    def _take(
        self, session: Session, direction: Direction, want: int, *, until: int
    ) -> list[WorkflowRow]:
        """The matching rows up to and including the time `until`."""
        column = self.column
        bounds = [f"{column} {'>=' if direction is OLDER else '<='} :edge"]
        params: dict[str, Any] = {"edge": until}
        if self.position:
            bounds += [f"{column} {direction.past}= :at"]
            params["at"] = self.position.at
            if self.position.workflow_uuid:
                bounds += [
                    f"({column} {direction.past} :at OR workflow_uuid {direction.past} :after)"
                ]
                params["after"] = self.position.workflow_uuid
        chunk = _Chunk(_where(self.where, *bounds), params)
        rows = self._rows(session, direction, want, chunk)
        self.position = (
            position_after(rows[-1], self)
            if len(rows) == want
            else Position(until + direction.step, self.key)
        )
        return rows

    def _scan_primary_key(
        self, session: Session, direction: Direction, at: Position, want: int, chunk: int
    ) -> list[WorkflowRow]:
        """Read the rows of one time along the primary key, because they are too many to sort."""
        start = f"workflow_uuid {direction.past} :after" if at.workflow_uuid else ""
        params: dict[str, Any] = {"after": at.workflow_uuid} if at.workflow_uuid else {}
        end = session.one(
            cached_statement(
                f"SELECT {direction.last}(workflow_uuid), COUNT(*) FROM (SELECT workflow_uuid "
                f"FROM {{workflow_status}} {_where((), start)} "
                f"ORDER BY workflow_uuid {direction.order} LIMIT :chunk) AS chunk"
            ),
            **params,
            chunk=chunk,
        )
        if end is None or not end[1]:
            self.position = Position(at.at + direction.step, self.key)
            return []
        until = f"workflow_uuid {'>=' if direction is OLDER else '<='} :edge"
        params |= {"edge": end[0], "at": at.at}
        tie = f"{self.column} = :at"
        scanned = _Chunk(_where((), start, until), params, tie)
        rows = self._rows(session, direction, want, scanned)
        self.position = (
            position_after(rows[-1], self)
            if len(rows) == want
            else Position(at.at, self.key, end[0])
        )
        return rows

    def _rows(
        self, session: Session, direction: Direction, want: int, chunk: _Chunk
    ) -> list[WorkflowRow]:
        # The limit is never reached. It keeps the planner from choosing another index by the
        # predicates, which may hold a million rows of one parent.
        checked = [*self.predicates, *self.where] if chunk.tie else self.predicates
        columns = ", ".join([COLUMNS, *{each.reads for each in checked if each.reads}])
        found = session.all(
            cached_statement(
                f"SELECT {COLUMNS} FROM (SELECT {columns} FROM {{workflow_status}} {chunk.where} "
                f"LIMIT {PLANNER_FENCE}) AS chunk {_where(checked, chunk.tie)} "
                f"{direction.order_by(self.column)} LIMIT :want"
            ),
            **_params(self.where),
            **_params(self.predicates),
            **chunk.params,
            want=want,
        )
        return [from_record(record) for record in found]


@dataclass(slots=True)
class IdSetRange:
    """A small set of ids that another index gave; sorted in each statement."""

    key: str
    ids: Sequence[str]
    predicates: Sequence[Predicate]
    column: str = "created_at"
    position: Position | None = None
    is_done: bool = False

    def advance(
        self, session: Session, direction: Direction, *, want: int, chunk: int
    ) -> list[WorkflowRow]:
        params: dict[str, Any] = {}
        after, column = "", self.column
        if self.position:
            params["at"] = self.position.at
            after = f"{column} {direction.past}= :at"
            if self.position.workflow_uuid:
                params["after"] = self.position.workflow_uuid
                after += (
                    f" AND ({column} {direction.past} :at OR workflow_uuid {direction.past} :after)"
                )
        found = session.all(
            cached_statement(
                f"SELECT {COLUMNS} FROM {{workflow_status}} "
                f"{_where(self.predicates, 'workflow_uuid = ANY(:ids)', after)} "
                f"{direction.order_by(column)} LIMIT :want"
            ),
            **_params(self.predicates),
            **params,
            ids=session.ids(self.ids),
            want=want,
        )
        rows = [from_record(record) for record in found]
        self.is_done = len(rows) < want
        if rows:
            self.position = position_after(rows[-1], self)
        return rows


def position_after(row: WorkflowRow, within: KeysetRange) -> Position:
    """The position just after a row of a range."""
    return Position(getattr(row, within.column), within.key, row.workflow_uuid)


def _where(predicates: Sequence[Predicate], *more: str) -> str:
    parts = [predicate.sql for predicate in predicates] + [each for each in more if each]
    return f"WHERE {' AND '.join(parts)}" if parts else ""


def _params(predicates: Sequence[Predicate]) -> dict[str, Any]:
    return {name: value for each in predicates for name, value in each.params.items()}
