"""Export and import of workflows with everything that is stored of them, for the terminal."""

from __future__ import annotations

from functools import partial

from django.db import IntegrityError

from dboshub.workflows.actions.audit import ActionRefusedError, Actor, audited_action, record
from dboshub.workflows.actions.changes import record_queues
from dboshub.workflows.actions.checks import require_workflow
from dboshub.workflows.connection import atomic
from dboshub.workflows.engine import validation
from dboshub.workflows.engine.control.transfer import notices_of
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.records import ACTIVE
from dboshub.workflows.permissions import START_WORKFLOW, VIEW_PAYLOAD
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.control import transfer
from dboshub.workflows.storage.control.export_format import unpack
from dboshub.workflows.storage.control.renamed_ids import with_prefix
from dboshub.workflows.storage.database_clock import database_now


def export_workflow(actor: Actor, workflow_id: str, *, children: bool = False) -> str:
    """Everything that is stored of a workflow, payloads included, as text for the import.

    With `children`, its descendants as well.
    """
    if not actor.user.has_perm(VIEW_PAYLOAD):
        raise ActionRefusedError("An export holds payloads.", "Ask for the permission to see them.")
    with atomic() as session:
        require_workflow(session, actor, workflow_id)
        text = transfer.export(session, workflow_id, children=children)
    record(actor, "export", "workflow", workflow_id, children=children)
    return text


def import_workflows(
    actor: Actor, text: str, *, prefix: str = "", goes_on: bool = False, reason: str = ""
) -> list[str]:
    """Import all workflows of an export, or none; return their ids, the exported one first.

    What had not ended is cancelled, so that nothing runs it before somebody resumes or forks it;
    if it `goes_on`, it is enqueued at once. `prefix` is put before the ids.
    """
    with audited_action(
        actor, "import", "workflow", "", permission=START_WORKFLOW, reason=reason
    ) as action:
        now = database_now(action.session)
        try:
            tables = unpack(text)
            was = tables["workflow_status"]
            tables = with_prefix(tables, validation.workflow_id(prefix)) if prefix else tables
            change = transfer.continued if goes_on else partial(transfer.inert, now=now)
            rows = transfer.insert(action.session, tables, change)
        except (DBOSException, IntegrityError) as error:
            why = error.message if isinstance(error, DBOSException) else "A part of it is here"
            raise ActionRefusedError(
                f"{why}.", "Nothing was imported: the ids must be free here, or get a prefix."
            ) from error
        viewer = viewer_for(actor.user)
        if not all(viewer.may_see(row["application_name"]) for row in rows):
            raise ActionRefusedError(
                "Some workflows are of applications you may not see.", "Ask an administrator."
            )
        ids = [str(row["workflow_uuid"]) for row in rows]
        if not goes_on:
            stopped = zip(ids, was, strict=True)
            queues = {id_: row["queue_name"] for id_, row in stopped if row["status"] in ACTIVE}
            record_queues(queues, at=now)
        action.hint(*notices_of(rows))
        action.detail.update(workflows=len(ids), first=ids[0], prefix=prefix, goes_on=goes_on)
        return ids
