"""Cancel workflows, and find the descendants of workflows.

A cancelled workflow loses its owner token, so its executor can record nothing more.
"""

from __future__ import annotations

from collections.abc import Iterable

from dboshub.workflows.storage.fragments import RETIRE, locked_ids
from dboshub.workflows.storage.id_lists import all_by_ids, in_given_order
from dboshub.workflows.storage.sql import Session, Statement

CANCEL = Statement(
    f"""
    UPDATE {{workflow_status}}
    SET status = 'CANCELLED', {RETIRE}
    WHERE {locked_ids("status NOT IN ('SUCCESS', 'ERROR')")}
    RETURNING workflow_uuid
    """
)

CHILDREN = Statement(
    """
    SELECT workflow_uuid
    FROM {workflow_status}
    WHERE parent_workflow_id = ANY(:ids)
    ORDER BY created_at, workflow_uuid
    """
)


def cancel(session: Session, ids: Iterable[str], *, now: int) -> list[str]:
    """Cancel all workflows but SUCCESS and ERROR; return those cancelled, in the given order."""
    wanted = [*ids]
    cancelled = {row[0] for row in all_by_ids(session, CANCEL, wanted, now=now)}
    return in_given_order(wanted, cancelled)


def descendants(session: Session, ids: Iterable[str]) -> list[str]:
    """Children, their children and so on, breadth first, in any status, without `ids`."""
    seen = set(ids)
    found: list[str] = []
    frontier = [*seen]
    while frontier:
        children = [row[0] for row in all_by_ids(session, CHILDREN, frontier)]
        frontier = [each for each in dict.fromkeys(children) if each not in seen]
        seen.update(frontier)
        found += frontier
    return found


def with_descendants(session: Session, ids: Iterable[str], *, children: bool) -> list[str]:
    """The given ids and, if `children`, those of their descendants after them."""
    wanted = [*ids]
    return [*wanted, *(descendants(session, wanted) if children else ())]
