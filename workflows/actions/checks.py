"""Preconditions that several actions share. Each refuses with ActionRefusedError."""

from __future__ import annotations

from dboshub.workflows.actions.audit import ActionRefusedError, Actor
from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.selectors.registered_queues import is_partitioned
from dboshub.workflows.selectors.rows import WorkflowRow, rows_by_id
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.sql import Session


def require_workflow(session: Session, actor: Actor, workflow_id: str) -> WorkflowRow:
    """The workflow's row, if it exists and the actor may see its application."""
    # PostgreSQL cannot compare with a NUL, and no stored text has one.
    ids = [] if "\x00" in workflow_id else [workflow_id]
    rows = rows_by_id(session, ids, viewer=viewer_for(actor.user))
    if workflow_id not in rows:
        raise missing_workflow(workflow_id)
    return rows[workflow_id]


def missing_workflow(workflow_id: str) -> ActionRefusedError:
    return ActionRefusedError(
        f"There is no workflow {workflow_id!r}.", "Check its id: it may have been deleted."
    )


def require_queue(session: Session, actor: Actor, queue: str) -> bool:
    """Whether a queue that the actor sees is partitioned. On any other, nothing would start."""
    if queue == INTERNAL_QUEUE:
        return False
    found = None if "\x00" in queue else is_partitioned(session, queue, viewer_for(actor.user))
    if found is None:
        raise ActionRefusedError(
            f"There is no queue {queue!r}.", "Leave the queue empty to run it as soon as possible."
        )
    return found
