"""Delete workflows with all their rows. Events, streams and messages are deleted by cascade."""

from __future__ import annotations

from collections.abc import Iterable

from dboshub.workflows.storage.id_lists import id_chunks
from dboshub.workflows.storage.sql import Session, Statement


def _delete_from(table: str) -> Statement:
    return Statement(f"DELETE FROM {{{table}}} WHERE workflow_uuid = ANY(:ids)")


# A fenced write of a running execution waits for this lock, and then finds no row.
LOCK = Statement(
    """
    SELECT workflow_uuid
    FROM {workflow_status}
    WHERE workflow_uuid = ANY(:ids)
    ORDER BY workflow_uuid
    FOR UPDATE
    """
)
INPUTS = _delete_from("workflow_input")
OUTPUTS = _delete_from("workflow_output")
STEPS = _delete_from("operation_outputs")
WORKFLOWS = _delete_from("workflow_status")


def delete(session: Session, ids: Iterable[str]) -> int:
    """Delete workflows in any status, running ones included; return how many existed."""
    deleted = 0
    for chunk in id_chunks(ids):
        adapted = session.ids(chunk)
        session.all(LOCK, ids=adapted)
        for statement in (INPUTS, OUTPUTS, STEPS):
            session.run(statement, ids=adapted)
        deleted += session.run(WORKFLOWS, ids=adapted)
    return deleted
