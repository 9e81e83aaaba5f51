"""The relatives of a workflow: ancestors, origin of a fork, children, forks."""

from __future__ import annotations

from dataclasses import dataclass

from dboshub.workflows.selectors.rows import COLUMNS, WorkflowRow, from_record, rows_by_id
from dboshub.workflows.selectors.scope import EVERYTHING, Viewer
from dboshub.workflows.statuses import FAILED
from dboshub.workflows.storage.sql import Session, Statement

MAX_RELATIVES = 50
MAX_GENERATIONS = 20
# Children of one parent that are scanned for failed ones.
MAX_CHILDREN_SCANNED = 1_000


@dataclass(frozen=True, slots=True)
class Lineage:
    """`ancestors` begins with the root. Relatives outside the viewer's scope are left out."""

    ancestors: tuple[WorkflowRow, ...]
    origin: WorkflowRow | None
    children: tuple[WorkflowRow, ...]
    forks: tuple[WorkflowRow, ...]
    has_more_children: bool
    has_more_forks: bool

    @property
    def is_empty(self) -> bool:
        return not (self.ancestors or self.origin or self.children or self.forks)


ANCESTORS = Statement(
    """
    WITH RECURSIVE line(id, generation) AS (
        SELECT parent_workflow_id, 1 FROM {workflow_status} WHERE workflow_uuid = :id
        UNION ALL
        SELECT above.parent_workflow_id, line.generation + 1
        FROM line
        JOIN {workflow_status} AS above ON above.workflow_uuid = line.id
        WHERE line.generation < :most
    )
    SELECT id FROM line WHERE id IS NOT NULL ORDER BY generation DESC
    """
)


def _related(column: str) -> Statement:
    # No ORDER BY: sorting would read all children, and a parent may have a million.
    return Statement(f"SELECT {COLUMNS} FROM {{workflow_status}} WHERE {column} = :id LIMIT :most")


CHILDREN = _related("parent_workflow_id")
FORKS = _related("forked_from")
# No index serves failed children, so the first children of the parent are scanned.
FAILED_CHILDREN = Statement(
    f"""
    SELECT {COLUMNS} FROM (
        SELECT {COLUMNS} FROM {{workflow_status}} WHERE parent_workflow_id = :id
        LIMIT {MAX_CHILDREN_SCANNED}
    ) AS first
    WHERE status IN ({", ".join(f"'{status}'" for status in FAILED)}) LIMIT :most
    """
)


def lineage(session: Session, row: WorkflowRow, *, viewer: Viewer = EVERYTHING) -> Lineage:
    """The relatives of a workflow, at most MAX_RELATIVES of each kind."""
    above = [each for (each,) in session.all(ANCESTORS, id=row.pk, most=MAX_GENERATIONS)]
    above = above if row.parent_workflow_id else []
    origin = row.forked_from
    known = rows_by_id(session, [*above, *([origin] if origin else [])], viewer=viewer)
    children, more_children = _rows(session, CHILDREN, row.pk, viewer)
    forks, more_forks = _rows(session, FORKS, row.pk, viewer)
    return Lineage(
        ancestors=tuple(known[each] for each in dict.fromkeys(above) if each in known),
        origin=known.get(origin) if origin else None,
        children=children,
        forks=forks,
        has_more_children=more_children,
        has_more_forks=more_forks,
    )


def first_children(session: Session, workflow_id: str, viewer: Viewer) -> list[WorkflowRow]:
    """The first MAX_RELATIVES children in index order, and the failed ones of the first
    MAX_CHILDREN_SCANNED, at most as many; failed ones first, then by age."""
    found, has_more = _rows(session, CHILDREN, workflow_id, viewer)
    failed = _rows(session, FAILED_CHILDREN, workflow_id, viewer)[0] if has_more else ()
    # Neither statement has an order, so both may return different children.
    children = {each.pk: each for each in (*found, *failed)}
    return sorted(
        children.values(), key=lambda each: (not each.is_failed, each.created_at, each.pk)
    )


def _rows(
    session: Session, statement: Statement, workflow_id: str, viewer: Viewer
) -> tuple[tuple[WorkflowRow, ...], bool]:
    found = [
        from_record(row) for row in session.all(statement, id=workflow_id, most=MAX_RELATIVES + 1)
    ]
    seen = [each for each in found[:MAX_RELATIVES] if viewer.may_see(each.application_name)]
    seen.sort(key=lambda each: (each.created_at, each.pk))
    return tuple(seen), len(found) > MAX_RELATIVES
