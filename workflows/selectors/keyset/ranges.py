"""Ways through `workflow_status` in the order of a moment and the id, in bounded reads.

The moment is `created_at` or another column with an index. A lane covers part of the table by an
index and reads it chunk by chunk. No statement examines more rows than its chunk and TIES, however
many rows share one moment: one bulk enqueue gives hundreds of thousands the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from dboshub.workflows.search.predicates import Predicate
from dboshub.workflows.selectors.rows import COLUMNS, WorkflowRow, from_record
from dboshub.workflows.storage.sql import Session, cached_statement

# Up to this many rows with one created_at are sorted; more are walked along the primary key,
# which is their order but holds the rest of the table as well.
MAX_SORTED_TIES = 10_000
# More rows than any chunk holds.
PLANNER_FENCE = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Direction:
    """A direction: towards older rows, or back towards the newest."""

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
    """Just past one row of a lane; without an id, just before the rows of that moment."""

    at: int
    range_key: str = ""
    workflow_uuid: str = ""


class KeysetRange(Protocol):
    """Part of the table, in order. `position` is how far it has been read."""

    key: str
    column: str
    position: Position | None
    is_done: bool

    def advance(
        self, session: Session, direction: Direction, *, want: int, chunk: int
    ) -> list[WorkflowRow]:
        """Read on by about `chunk` rows and give those that match, at most `want`."""


@dataclass(frozen=True, slots=True)
class ChunkBounds:
    """The ends of a chunk of an index, its size, and how many rows share its last moment."""

    first: int
    last: int
    size: int
    ties: int


@dataclass(slots=True)
class IndexRange:
    """`where` is what an index on `column` serves; `predicates` are checked on its rows."""

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
        beside = self._ties(session, at.at) if at is not None and at.workflow_uuid else 0
        if at is not None and beside > MAX_SORTED_TIES:
            return self._scan_primary_key(session, direction, at, want, chunk)
        # The reach begins with the rows beside the position, of which some have been read.
        bounds = self._chunk_bounds(session, direction, chunk + beside)
        if bounds.ties <= MAX_SORTED_TIES:
            rows = self._take(session, direction, want, until=bounds.last) if bounds.size else []
            self.is_done = bounds.size < chunk + beside and len(rows) < want
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
        """Where `chunk` more rows of the index lead, and how many tie there."""
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
                ") AS reach) AS ends"
            ),
            **_params(self.where),
            **({"at": self.position.at} if self.position else {}),
            chunk=chunk,
            most=MAX_SORTED_TIES + 1,
        )
        assert found is not None
        return ChunkBounds(*found)

    def _ties(self, session: Session, moment: int) -> int:
        """How many rows share a moment, up to one too many to sort."""
        if self.many_ties_at == moment:
            return MAX_SORTED_TIES + 1
        found = session.one(
            cached_statement(
                "SELECT COUNT(*) FROM (SELECT 1 FROM {workflow_status} "
                f"{_where(self.where, f'{self.column} = :at')} LIMIT :most) AS same"
            ),
            **_params(self.where),
            at=moment,
            most=MAX_SORTED_TIES + 1,
        )
        assert found is not None
        if found[0] > MAX_SORTED_TIES:
            self.many_ties_at = moment
        return int(found[0])

    def _take(
        self, session: Session, direction: Direction, want: int, *, until: int
    ) -> list[WorkflowRow]:
        """The matching rows up to and with `until`."""
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
        rows = self._rows(session, direction, want, _where(self.where, *bounds), params)
        self.position = (
            _past(rows[-1], self)
            if len(rows) == want
            else Position(until + direction.step, self.key)
        )
        return rows

    def _scan_primary_key(
        self, session: Session, direction: Direction, at: Position, want: int, chunk: int
    ) -> list[WorkflowRow]:
        """Walk the primary key through the rows of one moment with too many to sort."""
        start = f"workflow_uuid {direction.past} :after" if at.workflow_uuid else ""
        params: dict[str, Any] = {"after": at.workflow_uuid} if at.workflow_uuid else {}
        end = session.one(
            cached_statement(
                f"SELECT {direction.last}(workflow_uuid), COUNT(*) FROM (SELECT workflow_uuid "
                f"FROM {{workflow_status}} {_where((), start)} "
                f"ORDER BY workflow_uuid {direction.order} LIMIT :chunk) AS reach"
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
        rows = self._rows(session, direction, want, _where((), start, until), params, tie)
        self.position = (
            _past(rows[-1], self) if len(rows) == want else Position(at.at, self.key, end[0])
        )
        return rows

    def _rows(
        self,
        session: Session,
        direction: Direction,
        want: int,
        where: str,
        params: dict[str, Any],
        tie: str = "",
    ) -> list[WorkflowRow]:
        # A limit that is never met fences the chunk: the planner must not look for a better index
        # by the conditions, since what it calls better may be a million rows of one parent.
        checked = [*self.predicates, *self.where] if tie else self.predicates
        columns = ", ".join([COLUMNS, *{each.reads for each in checked if each.reads}])
        found = session.all(
            cached_statement(
                f"SELECT {COLUMNS} FROM (SELECT {columns} FROM {{workflow_status}} {where} "
                f"LIMIT {PLANNER_FENCE}) AS chunk {_where(checked, tie)} "
                f"{direction.order_by(self.column)} LIMIT :want"
            ),
            **_params(self.where),
            **_params(self.predicates),
            **params,
            want=want,
        )
        return [from_record(record) for record in found]


@dataclass(slots=True)
class IdSetRange:
    """A small set of ids that some other index gave, sorted whenever it is read."""

    key: str
    ids: Sequence[str]
    predicates: Sequence[Predicate]
    column: str = "created_at"
    position: Position | None = None
    is_done: bool = False

    def advance(
        self, session: Session, direction: Direction, *, want: int, chunk: int
    ) -> list[WorkflowRow]:
        among = (
            "workflow_uuid = ANY(:ids)"
            if session.vendor == "postgresql"
            else "workflow_uuid IN (SELECT value FROM json_each(:ids))"
        )
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
                f"{_where(self.predicates, among, after)} "
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
            self.position = _past(rows[-1], self)
        return rows


def _past(row: WorkflowRow, lane: KeysetRange) -> Position:
    return Position(getattr(row, lane.column), lane.key, row.workflow_uuid)


def _where(predicates: Sequence[Predicate], *more: str) -> str:
    parts = [predicate.sql for predicate in predicates] + [each for each in more if each]
    return f"WHERE {' AND '.join(parts)}" if parts else ""


def _params(predicates: Sequence[Predicate]) -> dict[str, Any]:
    return {name: value for each in predicates for name, value in each.params.items()}
