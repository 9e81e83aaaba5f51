"""Delete workflows and all that hangs on them. Events, streams and messages go by cascade."""

from __future__ import annotations

from collections.abc import Iterable

from dboshub.workflows.storage.control.cancel import chunks
from dboshub.workflows.storage.sql import Session, Statement


def _delete_from(table: str) -> Statement:
    return Statement(
        postgres=f"DELETE FROM {{{table}}} WHERE workflow_uuid = ANY(:ids)",
        sqlite=(
            f"DELETE FROM {{{table}}} WHERE workflow_uuid IN (SELECT value FROM json_each(:ids))"
        ),
    )


# Locked first and in id order: a running execution's fenced write waits, then finds no row.
LOCK = Statement(
    postgres="""
        SELECT workflow_uuid
        FROM {workflow_status}
        WHERE workflow_uuid = ANY(:ids)
        ORDER BY workflow_uuid
        FOR UPDATE
    """,
    sqlite="""
        SELECT workflow_uuid
        FROM {workflow_status}
        WHERE workflow_uuid IN (SELECT value FROM json_each(:ids))
    """,
)
INPUTS = _delete_from("workflow_input")
OUTPUTS = _delete_from("workflow_output")
STEPS = _delete_from("operation_outputs")
WORKFLOWS = _delete_from("workflow_status")


def delete(session: Session, ids: Iterable[str]) -> int:
    """Delete workflows in any status, running ones included; return how many there were."""
    deleted = 0
    for chunk in chunks(list(dict.fromkeys(ids))):
        adapted = session.ids(chunk)
        session.all(LOCK, ids=adapted)
        for statement in (INPUTS, OUTPUTS, STEPS):
            session.run(statement, ids=adapted)
        deleted += session.run(WORKFLOWS, ids=adapted)
    return deleted
