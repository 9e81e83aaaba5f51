"""Conditions that partial indexes of `workflow_status` serve.

They are literals, and they repeat the predicate of the index: a generic plan cannot know that a
parameter satisfies a partial index, and SQLite compares predicates as they are written.
"""

from __future__ import annotations

from dboshub.workflows.storage.sql import Session

FAILED_INDEX = "status IN ('ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED')"


def enqueued_predicate(session: Session) -> str:
    """Enqueued rows, through the index of rows in flight.

    SQLite needs the predicate of that index as well. PostgreSQL would multiply the selectivity of
    both conditions, expect few rows and sort them all instead of reading some in index order.
    """
    own = " AND status IN ('ENQUEUED', 'PENDING')" if session.vendor == "sqlite" else ""
    return f"status = 'ENQUEUED'{own}"


def enqueued_order(session: Session) -> str:
    """The order of that index: by queue, and in each as rows are claimed.

    SQLite reads the rows of a queue in this order, and would sort them all if it were written.
    """
    return "queue_name" if session.vendor == "sqlite" else "queue_name, priority, created_at"
