"""Index-ordered ways through `workflow_status`, newest or oldest first, in bounded reads.

A lane covers part of the table by `(created_at, workflow_uuid)` and reads it chunk by chunk; no
statement examines more rows than a small multiple of its chunk, however many rows share one
`created_at` (one bulk enqueue gives hundreds of thousands the same).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from workflows.filters import Condition
from workflows.selectors.rows import COLUMNS, WorkflowRow, from_record, statement
from workflows.storage.sql import Session

# Up to this many rows with one created_at are sorted; more are walked along the primary key.
TIES = 400


@dataclass(frozen=True, slots=True)
class Way:
    """A direction through the lists: newest first, or back towards the newest."""

    order: str
    beyond: str
    up_to: str

    @property
    def order_by(self) -> str:
        return f"ORDER BY created_at {self.order}, workflow_uuid {self.order}"


OLDER = Way("DESC", "<", "<=")
NEWER = Way("ASC", ">", ">=")


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the order. Without an id: beyond every row of that `created_at`."""

    created_at: int
    workflow_uuid: str | None = None
    lane: int = 0


@dataclass(slots=True)
class Lane:
    """`where` is what the index serves; `conditions` are checked on every row it gives."""

    number: int
    session: Session
    way: Way
    where: list[Condition]
    conditions: list[Condition]
    position: Position | None = None
    rows: list[WorkflowRow] = field(default_factory=list)
    examined: int = 0
    is_done: bool = False

    def advance(self, size: int) -> None:
        """Read on by about `size` rows of the index."""
        if self.position is not None and self.position.workflow_uuid is not None:
            self._finish_ties(size)
        else:
            self._whole_groups(size)

    def _whole_groups(self, size: int) -> None:
        """Take all rows down to the last `created_at` within reach, then begin that one."""
        way, after = self.way, self.position
        beyond = [] if after is None else [f"created_at {way.beyond} :after"]
        low, count = self._bound(size, beyond, after)
        if not count:
            self.is_done = True
            return
        between = [*beyond, f"created_at {'>' if way is OLDER else '<'} :low"]
        params = {"low": low, "after": after.created_at if after else None}
        if count > 1:
            self._take(between, params, count)
        self.position = Position(low, "", self.number)
        self._ties(low, None, size)

    def _bound(self, size: int, beyond: list[str], after: Position | None) -> tuple[int, int]:
        where, params = self._where(beyond)
        found = self.session.one(
            statement(
                f"SELECT {'MIN' if self.way is OLDER else 'MAX'}(created_at), COUNT(*) FROM ("  # noqa: S608
                f"SELECT created_at FROM {{workflow_status}} {where} "
                f"ORDER BY created_at {self.way.order} LIMIT :size) AS reach"
            ),
            **params,
            after=after.created_at if after else None,
            size=size,
        )
        assert found is not None
        self.examined += found[1]
        return found[0], found[1]

    def _finish_ties(self, size: int) -> None:
        assert self.position is not None
        self._ties(self.position.created_at, self.position.workflow_uuid or None, size)

    def _ties(self, created_at: int, after: str | None, size: int) -> None:
        """Read the rows of one `created_at`, or some more of them if they are too many."""
        where, params = self._where(["created_at >= :same", "created_at <= :same"])
        found = self.session.one(
            statement(
                "SELECT COUNT(*) FROM (SELECT created_at FROM {workflow_status} "  # noqa: S608
                f"{where} ORDER BY created_at LIMIT :ties) AS same"
            ),
            **params,
            same=created_at,
            ties=TIES + 1,
        )
        if found is not None and found[0] > TIES:
            self._along_the_key(created_at, after, size)
            return
        only = ["created_at >= :same", "created_at <= :same"]
        only += [f"workflow_uuid {self.way.beyond} :id"] if after else []
        self._take(only, {"same": created_at, "id": after}, TIES + 1)
        self.position = Position(created_at, None, self.number)

    def _along_the_key(self, created_at: int, after: str | None, size: int) -> None:
        """Walk the primary key: its order is the order within one `created_at`."""
        chunk = max(size, 2_000)
        start = f"WHERE workflow_uuid {self.way.beyond} :id" if after else ""
        where, params = self._where(["created_at = :same"], rest=True)
        records = self.session.all(
            statement(
                f"WITH chunk AS MATERIALIZED (SELECT {COLUMNS} FROM {{workflow_status}} {start} "  # noqa: S608
                f"ORDER BY workflow_uuid {self.way.order} LIMIT :chunk), "
                "reach AS (SELECT COUNT(*) AS size, "
                f"{'MIN' if self.way is OLDER else 'MAX'}(workflow_uuid) AS last FROM chunk) "
                f"SELECT {COLUMNS}, NULL AS size, NULL AS last FROM chunk {where} UNION ALL "
                f"SELECT {', '.join(['NULL'] * COLUMNS.count(','))}, NULL, size, last FROM reach"
            ),
            **params,
            same=created_at,
            id=after,
            chunk=chunk,
        )
        raise NotImplementedError(records)
