"""The next workflows of a queue, in the order in which they are claimed."""

from __future__ import annotations

from dboshub.workflows.selectors.rows import COLUMNS, WorkflowRow, from_record
from dboshub.workflows.selectors.scope import Viewer, all_in_scope
from dboshub.workflows.storage.fragments import ENQUEUED
from dboshub.workflows.storage.sql import Session

SHOWN = 10


def next_workflows(session: Session, name: str, viewer: Viewer) -> list[WorkflowRow]:
    """The first SHOWN enqueued workflows in the viewer's scope."""
    text = (
        f"SELECT {COLUMNS} FROM {{workflow_status}} WHERE queue_name = :name AND {ENQUEUED} "
        "AND SCOPE ORDER BY priority, created_at LIMIT :most"
    )
    found = all_in_scope(session, text, viewer, name=name, most=SHOWN)
    return [from_record(record) for record in found]
