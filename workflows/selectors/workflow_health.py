"""Problems for the home page: the oldest run, and repeated recoveries."""

from __future__ import annotations

from dataclasses import dataclass

from dboshub.workflows.selectors.keyset.index_predicates import enqueued_order, enqueued_predicate
from dboshub.workflows.selectors.rows import COLUMNS, WorkflowRow, from_record
from dboshub.workflows.selectors.scope import Viewer, all_in_scope
from dboshub.workflows.storage.sql import Session

# Running and enqueued rows that are scanned, the oldest first: no index serves the number of
# recoveries.
MAX_ROWS_SCANNED = 5_000
# The first start counts as one attempt, each recovery as one more.
MANY_ATTEMPTS = 4
MAX_RECOVERIES = 10

OLDEST_RUNNING = f"""
    SELECT {COLUMNS} FROM {{workflow_status}}
    WHERE status = 'PENDING' AND SCOPE
    ORDER BY created_at
    LIMIT 1
"""
RECOVERED = f"""
    SELECT {COLUMNS} FROM (
        SELECT * FROM (
            SELECT {COLUMNS} FROM {{workflow_status}}
            WHERE status = 'PENDING' AND SCOPE
            ORDER BY created_at LIMIT :looked
        ) AS running
        UNION ALL
        SELECT * FROM (
            SELECT {COLUMNS} FROM {{workflow_status}}
            WHERE ENQUEUED AND SCOPE
            ORDER BY ORDER_OF_INDEX LIMIT :looked
        ) AS enqueued
    ) AS looked
    WHERE recovery_attempts >= :many
    ORDER BY recovery_attempts DESC, workflow_uuid
    LIMIT :shown
"""


@dataclass(frozen=True, slots=True)
class RepeatedRecovery:
    """A workflow in flight that was recovered repeatedly."""

    row: WorkflowRow

    @property
    def recoveries(self) -> int:
        return (self.row.recovery_attempts or 1) - 1


def oldest_running(session: Session, viewer: Viewer) -> WorkflowRow | None:
    """The running workflow that was created first."""
    found = all_in_scope(session, OLDEST_RUNNING, viewer)
    return from_record(found[0]) if found else None


def recovered_repeatedly(session: Session, viewer: Viewer) -> list[RepeatedRecovery]:
    """The workflows in flight with the most recoveries, among the scanned rows."""
    text = RECOVERED.replace("ENQUEUED", enqueued_predicate(session))
    text = text.replace("ORDER_OF_INDEX", enqueued_order(session))
    found = all_in_scope(
        session, text, viewer, looked=MAX_ROWS_SCANNED, many=MANY_ATTEMPTS, shown=MAX_RECOVERIES
    )
    return [RepeatedRecovery(from_record(row)) for row in found]
