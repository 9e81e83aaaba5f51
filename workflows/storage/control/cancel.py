"""Cancel workflows, and find the descendants of one. The caller decides who goes with whom.

Cancelling takes the row from its executor: without `owner_xid` no checkpoint or outcome lands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dboshub.workflows.storage.sql import Session, Statement

CHUNK = 1_000

# Rows are locked in id order, as every writer of several rows does, so that two never deadlock.
CANCEL = Statement(
    postgres="""
        UPDATE {workflow_status}
        SET status = 'CANCELLED',
            queue_name = NULL,
            deduplication_id = NULL,
            started_at_epoch_ms = NULL,
            owner_xid = NULL,
            updated_at = :now,
            completed_at = :now
        WHERE workflow_uuid IN (
            SELECT workflow_uuid
            FROM {workflow_status}
            WHERE workflow_uuid = ANY(:ids)
                AND status NOT IN ('SUCCESS', 'ERROR')
            ORDER BY workflow_uuid
            FOR NO KEY UPDATE
        )
            AND status NOT IN ('SUCCESS', 'ERROR')
        RETURNING workflow_uuid
    """,
    sqlite="""
        UPDATE {workflow_status}
        SET status = 'CANCELLED',
            queue_name = NULL,
            deduplication_id = NULL,
            started_at_epoch_ms = NULL,
            owner_xid = NULL,
            updated_at = :now,
            completed_at = :now
        WHERE workflow_uuid IN (SELECT value FROM json_each(:ids))
            AND status NOT IN ('SUCCESS', 'ERROR')
        RETURNING workflow_uuid
    """,
)

CHILDREN = Statement(
    postgres="""
        SELECT workflow_uuid
        FROM {workflow_status}
        WHERE parent_workflow_id = ANY(:ids)
        ORDER BY created_at, workflow_uuid
    """,
    sqlite="""
        SELECT workflow_uuid
        FROM {workflow_status}
        WHERE parent_workflow_id IN (SELECT value FROM json_each(:ids))
        ORDER BY created_at, workflow_uuid
    """,
)


def cancel(session: Session, ids: Iterable[str], *, now: int) -> list[str]:
    """Cancel all but SUCCESS and ERROR; return those cancelled, in the order given."""
    wanted = list(dict.fromkeys(ids))
    cancelled = {
        row[0]
        for chunk in chunks(wanted)
        for row in session.all(CANCEL, ids=session.ids(chunk), now=now)
    }
    return [each for each in wanted if each in cancelled]


def descendants(session: Session, ids: Iterable[str]) -> list[str]:
    """Children, their children and so on, breadth first, in any status, without `ids`."""
    seen = set(ids)
    found: list[str] = []
    frontier = list(seen)
    while frontier:
        level: list[str] = []
        for chunk in chunks(frontier):
            for (child,) in session.all(CHILDREN, ids=session.ids(chunk)):
                if child not in seen:
                    seen.add(child)
                    level.append(child)
        found += level
        frontier = level
    return found


def chunks(ids: list[str], size: int = CHUNK) -> Iterator[list[str]]:
    """Ids in statement-sized lists, sorted within the whole so that locks are taken in order."""
    ordered = sorted(ids)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]
