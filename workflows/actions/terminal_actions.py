"""Actions of a terminal that no page offers: rewind, adjust, export and import.

Each checks the permission, acts and writes the audit row, as in ``workflow_actions``.
"""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError

from dboshub.workflows.actions.audit import ActionRefusedError, Actor, acting, record
from dboshub.workflows.connection import atomic
from dboshub.workflows.engine.control.transfer import notices_of
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.records import INTERNAL_QUEUE, TERMINAL, Status
from dboshub.workflows.engine.waiting.notices import QUEUE, STATUS
from dboshub.workflows.selectors.rows import WorkflowRow, rows_by_id
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.control import adjust, transfer
from dboshub.workflows.storage.control import rewind as rewinding
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.sql import Session


def rewind(
    actor: Actor,
    workflow_id: str,
    *,
    start_step: int = 1,
    reason: str = "",
    queue: str | None = None,
    version: str | None = None,
) -> None:
    """Run a workflow that has ended again, under its own id, from `start_step`."""
    permission = "dboshub_workflows.resume_workflow"
    with acting(
        actor, "rewind", "workflow", workflow_id, permission=permission, reason=reason
    ) as act:
        row = _find(act.session, actor, workflow_id)
        if start_step < 1:
            raise ActionRefusedError(f"There is no step {start_step}.", "Steps begin at 1.")
        if row.status not in TERMINAL:
            raise ActionRefusedError(
                f"It has not ended ({row.status}).", "Cancel it first, or resume it."
            )
        rewinding.rewind(
            act.session,
            workflow_id,
            start_step=start_step,
            application_version=version,
            queue=queue,
            now=database_now(act.session),
        )
        act.hint((STATUS, workflow_id), (QUEUE, queue or INTERNAL_QUEUE))
        act.detail.update(was=row.status, start_step=start_step, queue=queue or INTERNAL_QUEUE)


def set_delay(actor: Actor, workflow_id: str, *, seconds: float, reason: str = "") -> None:
    """Let a delayed workflow be due so many seconds from now."""
    permission = "dboshub_workflows.resume_workflow"
    with acting(
        actor, "delay", "workflow", workflow_id, permission=permission, reason=reason
    ) as act:
        row = _find(act.session, actor, workflow_id)
        if row.status != Status.DELAYED:
            raise ActionRefusedError(
                f"It is {row.status}, so nothing delays it.", "Delay it where it is enqueued."
            )
        now = database_now(act.session)
        adjust.set_delay(act.session, workflow_id, until=now + int(seconds * 1_000), now=now)
        act.hint((STATUS, workflow_id))
        act.detail.update(seconds=seconds)


def update_attributes(
    actor: Actor,
    workflow_id: str,
    attributes: dict[str, Any] | None,
    *,
    merge: bool = False,
    reason: str = "",
) -> None:
    """Replace a workflow's attributes, None clears them; or `merge` the given keys."""
    permission = "dboshub_workflows.resume_workflow"
    with acting(
        actor, "attributes", "workflow", workflow_id, permission=permission, reason=reason
    ) as act:
        _find(act.session, actor, workflow_id)
        now = database_now(act.session)
        adjust.update_attributes(act.session, workflow_id, attributes, merge=merge, now=now)
        act.hint((STATUS, workflow_id))
        act.detail.update(keys=sorted(attributes or {}), merge=merge)


def export(actor: Actor, workflow_id: str, *, children: bool = False) -> str:
    """All that is stored of a workflow, payloads as well, as text for ``import_``."""
    if not actor.user.has_perm("dboshub_workflows.view_payload"):
        raise ActionRefusedError("An export holds payloads.", "Ask for the permission to see them.")
    with atomic() as session:
        _find(session, actor, workflow_id)
        text = transfer.export(session, workflow_id, children=children)
    record(actor, "export", "workflow", workflow_id, children=children)
    return text


def import_(actor: Actor, text: str, *, reason: str = "") -> list[str]:
    """Take in all workflows of an export, or none; their ids, the exported one first."""
    permission = "dboshub_workflows.start_workflow"
    with acting(actor, "import", "workflow", "", permission=permission, reason=reason) as act:
        try:
            rows = transfer.import_(act.session, text)
        except (DBOSException, IntegrityError) as error:
            why = error.message if isinstance(error, DBOSException) else "A part of it is here"
            raise ActionRefusedError(
                f"{why}.", "Nothing was imported: give an export whose ids are free here."
            ) from error
        viewer = viewer_for(actor.user)
        if not all(viewer.may_see(row["application_name"]) for row in rows):
            raise ActionRefusedError(
                "Some workflows are of applications you may not see.", "Ask an administrator."
            )
        act.hint(*notices_of(rows))
        ids = [str(row["workflow_uuid"]) for row in rows]
        act.detail.update(workflows=len(ids), first=ids[0])
        return ids


def _find(session: Session, actor: Actor, workflow_id: str) -> WorkflowRow:
    found = rows_by_id(session, [workflow_id], viewer=viewer_for(actor.user))
    if workflow_id not in found:
        raise ActionRefusedError(f"There is no workflow {workflow_id!r}.", "Look at its id again.")
    return found[workflow_id]
