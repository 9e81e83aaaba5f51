"""What home asks of the system tables: the oldest run, runs that start over, and fresh failures."""

from __future__ import annotations

from dataclasses import dataclass

from dboshub.workflows.selectors.keyset.index_predicates import enqueued_predicate
from dboshub.workflows.selectors.rows import COLUMNS, WorkflowRow, from_record
from dboshub.workflows.selectors.scope import Viewer, all_in_scope
from dboshub.workflows.storage.sql import Row, Session

# Running and enqueued rows that are looked at for recoveries: no index holds their number.
LOOKED = 5_000
# A first start is one attempt; every recovery is one more.
MANY_ATTEMPTS = 4
SHOWN = 10
NEWEST = 20_000

OLDEST = f"""
    SELECT {COLUMNS} FROM {{workflow_status}}
    WHERE status = 'PENDING' AND SCOPE
    ORDER BY created_at
    LIMIT 1
"""
LOOPING = f"""
    SELECT {COLUMNS} FROM (
        SELECT * FROM (
            SELECT {COLUMNS} FROM {{workflow_status}}
            WHERE status = 'PENDING' AND SCOPE
            ORDER BY created_at DESC LIMIT :looked
        ) AS running
        UNION ALL
        SELECT * FROM (
            SELECT {COLUMNS} FROM {{workflow_status}}
            WHERE ENQUEUED AND SCOPE
            ORDER BY queue_name, priority, created_at LIMIT :looked
        ) AS enqueued
    ) AS looked
    WHERE recovery_attempts >= :many
    ORDER BY recovery_attempts DESC, workflow_uuid
    LIMIT :shown
"""
FAILURES = """
    SELECT name, is_now, COUNT(*) FROM (
        SELECT name, status, CASE WHEN completed_at >= :hour THEN 1 ELSE 0 END AS is_now
        FROM {workflow_status}
        WHERE completed_at IS NOT NULL AND completed_at >= :since AND SCOPE
        ORDER BY completed_at DESC
        LIMIT :newest
    ) AS ended
    WHERE status IN ('ERROR', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED')
    GROUP BY name, is_now
"""


@dataclass(frozen=True, slots=True)
class RepeatedRecovery:
    """A workflow that was recovered again and again and has not ended."""

    row: WorkflowRow

    @property
    def recoveries(self) -> int:
        return (self.row.recovery_attempts or 1) - 1


def oldest_running(session: Session, viewer: Viewer) -> WorkflowRow | None:
    """The running workflow that was made first."""
    found = all_in_scope(session, OLDEST, viewer)
    return from_record(found[0]) if found else None


def recovered_repeatedly(session: Session, viewer: Viewer) -> list[RepeatedRecovery]:
    """Workflows in flight that were recovered most, among those that are looked at."""
    text = LOOPING.replace("ENQUEUED", enqueued_predicate(session))
    found = all_in_scope(session, text, viewer, looked=LOOKED, many=MANY_ATTEMPTS, shown=SHOWN)
    return [RepeatedRecovery(from_record(row)) for row in found]


def failures(session: Session, viewer: Viewer, *, since: int, hour: int) -> list[Row]:
    """(name, whether after `hour`, how many) of what failed, among the newest that ended."""
    return all_in_scope(session, FAILURES, viewer, since=since, hour=hour, newest=NEWEST)
