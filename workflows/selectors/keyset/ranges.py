"""Ways through `workflow_status` in the order of a moment and the id, in bounded reads.

The moment is `created_at` or another column with an index. A lane covers part of the table by an
index and reads it chunk by chunk. No statement examines more rows than its chunk and TIES, however
many rows share one moment: one bulk enqueue gives hundreds of thousands the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from dboshub.workflows.search.predicates import Condition
from dboshub.workflows.selectors.rows import COLUMNS, WorkflowRow, from_record
from dboshub.workflows.storage.sql import Session, cached_statement

# Up to this many rows with one created_at are sorted; more are walked along the primary key,
# which is their order but holds the rest of the table as well.
MAX_SORTED_TIES = 10_000
# More rows than any chunk holds.
FENCE = 1_000_000_000


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
    lane: str = ""
    workflow_uuid: str = ""


class Lane(Protocol):
    """Part of the table, in order. `position` is how far it has been read."""

    key: str
    column: str
    position: Position | None
    is_done: bool

    def advance(
        self, session: Session, way: Direction, *, want: int, chunk: int
    ) -> list[WorkflowRow]:
        """Read on by about `chunk` rows and give those that match, at most `want`."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The ends of a chunk of an index, its size, and how many rows share its last moment."""

    first: int
    last: int
    size: int
    ties: int


@dataclass(slots=True)
class IndexRange:
    """`where` is what an index on `column` serves; `conditions` are checked on its rows."""

    key: str
    where: Sequence[Condition]
    conditions: Sequence[Condition]
    column: str = "created_at"
    position: Position | None = None
    is_done: bool = False
    many_ties_at: int | None = None

    def advance(
        self, session: Session, way: Direction, *, want: int, chunk: int
    ) -> list[WorkflowRow]:
        at = self.position
        beside = self._ties(session, at.at) if at is not None and at.workflow_uuid else 0
        if at is not None and beside > MAX_SORTED_TIES:
            return self._scan_primary_key(session, way, at, want, chunk)
        # The reach begins with the rows beside the position, of which some have been read.
        reach = self._reach(session, way, chunk + beside)
        if reach.ties <= MAX_SORTED_TIES:
            rows = self._take(session, way, want, until=reach.last) if reach.size else []
            self.is_done = reach.size < chunk + beside and len(rows) < want
            return rows
        self.many_ties_at = reach.last
        rows = []
        if reach.first != reach.last:
            rows = self._take(session, way, want, until=reach.last - way.step)
        if len(rows) < want:
            start = Position(reach.last, self.key)
            rows += self._scan_primary_key(session, way, start, want - len(rows), chunk)
        return rows

    def _reach(self, session: Session, way: Direction, chunk: int) -> Reach:
        """Where `chunk` more rows of the index lead, and how many tie there."""
        column = self.column
        start = f"{column} {way.past}= :at" if self.position else ""
        first = "MAX" if way is OLDER else "MIN"
        found = session.one(
            cached_statement(
                "SELECT first, last, size, "
                "(SELECT COUNT(*) FROM (SELECT 1 FROM {workflow_status} "
                f"{_where(self.where, f'{column} = last')} LIMIT :most) AS same) "
                f"FROM (SELECT {first}({column}) AS first, {way.last}({column}) AS last, "
                f"COUNT(*) AS size FROM (SELECT {column} FROM {{workflow_status}} "
                f"{_where(self.where, start)} ORDER BY {column} {way.order} LIMIT :chunk"
                ") AS reach) AS ends"
            ),
            **_params(self.where),
            **({"at": self.position.at} if self.position else {}),
            chunk=chunk,
            most=MAX_SORTED_TIES + 1,
        )
        assert found is not None
        return Reach(*found)

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
        self, session: Session, way: Direction, want: int, *, until: int
    ) -> list[WorkflowRow]:
        """The matching rows up to and with `until`."""
        column = self.column
        bounds = [f"{column} {'>=' if way is OLDER else '<='} :edge"]
        params: dict[str, Any] = {"edge": until}
        if self.position:
            bounds += [f"{column} {way.past}= :at"]
            params["at"] = self.position.at
            if self.position.workflow_uuid:
                bounds += [f"({column} {way.past} :at OR workflow_uuid {way.past} :after)"]
                params["after"] = self.position.workflow_uuid
        rows = self._rows(session, way, want, _where(self.where, *bounds), params)
        self.position = (
            _past(rows[-1], self) if len(rows) == want else Position(until + way.step, self.key)
        )
        return rows

    def _scan_primary_key(
        self, session: Session, way: Direction, at: Position, want: int, chunk: int
    ) -> list[WorkflowRow]:
        """Walk the primary key through the rows of one moment with too many to sort."""
        start = f"workflow_uuid {way.past} :after" if at.workflow_uuid else ""
        params: dict[str, Any] = {"after": at.workflow_uuid} if at.workflow_uuid else {}
        end = session.one(
            cached_statement(
                f"SELECT {way.last}(workflow_uuid), COUNT(*) FROM (SELECT workflow_uuid "
                f"FROM {{workflow_status}} {_where((), start)} "
                f"ORDER BY workflow_uuid {way.order} LIMIT :chunk) AS reach"
            ),
            **params,
            chunk=chunk,
        )
        if end is None or not end[1]:
            self.position = Position(at.at + way.step, self.key)
            return []
        until = f"workflow_uuid {'>=' if way is OLDER else '<='} :edge"
        params |= {"edge": end[0], "at": at.at}
        tie = f"{self.column} = :at"
        rows = self._rows(session, way, want, _where((), start, until), params, tie)
        self.position = (
            _past(rows[-1], self) if len(rows) == want else Position(at.at, self.key, end[0])
        )
        return rows

    def _rows(
        self,
        session: Session,
        way: Direction,
        want: int,
        where: str,
        params: dict[str, Any],
        tie: str = "",
    ) -> list[WorkflowRow]:
        # A limit that is never met fences the chunk: the planner must not look for a better index
        # by the conditions, since what it calls better may be a million rows of one parent.
        checked = [*self.conditions, *self.where] if tie else self.conditions
        columns = ", ".join([COLUMNS, *{each.reads for each in checked if each.reads}])
        found = session.all(
            cached_statement(
                f"SELECT {COLUMNS} FROM (SELECT {columns} FROM {{workflow_status}} {where} "
                f"LIMIT {FENCE}) AS chunk {_where(checked, tie)} "
                f"{way.order_by(self.column)} LIMIT :want"
            ),
            **_params(self.where),
            **_params(self.conditions),
            **params,
            want=want,
        )
        return [from_record(record) for record in found]


@dataclass(slots=True)
class IdSetRange:
    """A small set of ids that some other index gave, sorted whenever it is read."""

    key: str
    ids: Sequence[str]
    conditions: Sequence[Condition]
    column: str = "created_at"
    position: Position | None = None
    is_done: bool = False

    def advance(
        self, session: Session, way: Direction, *, want: int, chunk: int
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
            after = f"{column} {way.past}= :at"
            if self.position.workflow_uuid:
                params["after"] = self.position.workflow_uuid
                after += f" AND ({column} {way.past} :at OR workflow_uuid {way.past} :after)"
        found = session.all(
            cached_statement(
                f"SELECT {COLUMNS} FROM {{workflow_status}} "
                f"{_where(self.conditions, among, after)} "
                f"{way.order_by(column)} LIMIT :want"
            ),
            **_params(self.conditions),
            **params,
            ids=session.ids(self.ids),
            want=want,
        )
        rows = [from_record(record) for record in found]
        self.is_done = len(rows) < want
        if rows:
            self.position = _past(rows[-1], self)
        return rows


def _past(row: WorkflowRow, lane: Lane) -> Position:
    return Position(getattr(row, lane.column), lane.key, row.workflow_uuid)


def _where(conditions: Sequence[Condition], *more: str) -> str:
    parts = [condition.sql for condition in conditions] + [each for each in more if each]
    return f"WHERE {' AND '.join(parts)}" if parts else ""


def _params(conditions: Sequence[Condition]) -> dict[str, Any]:
    return {name: value for each in conditions for name, value in each.params.items()}
