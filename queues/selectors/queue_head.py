"""Who is next on a queue, in the order in which they are claimed."""

from __future__ import annotations

from dboshub.queues.selectors.depths import ENQUEUED
from dboshub.workflows.selectors.rows import COLUMNS, WorkflowRow, from_record
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.storage.sql import Session, cached_statement

SHOWN = 10


def next_workflows(session: Session, name: str, viewer: Viewer) -> list[WorkflowRow]:
    """The next few enqueued workflows."""
    scope = viewer.condition()
    text = (
        f"SELECT {COLUMNS} FROM {{workflow_status}} WHERE queue_name = :name AND {ENQUEUED} "
        f"{f'AND {scope.sql} ' if scope else ''}ORDER BY priority, created_at LIMIT :most"
    )
    found = session.all(
        cached_statement(text), name=name, most=SHOWN, **(scope.params if scope else {})
    )
    return [from_record(record) for record in found]
