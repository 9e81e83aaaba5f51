"""Export and import of workflows with everything that is stored of them, for the terminal."""

from __future__ import annotations

from django.db import IntegrityError

from dboshub.workflows.actions.audit import ActionRefusedError, Actor, audited_action, record
from dboshub.workflows.actions.checks import require_workflow
from dboshub.workflows.connection import atomic
from dboshub.workflows.engine.control.transfer import notices_of
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.permissions import START_WORKFLOW, VIEW_PAYLOAD
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.control import transfer


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


def import_workflows(actor: Actor, text: str, *, reason: str = "") -> list[str]:
    """Import all workflows of an export, or none; return their ids, the exported one first."""
    with audited_action(
        actor, "import", "workflow", "", permission=START_WORKFLOW, reason=reason
    ) as action:
        try:
            rows = transfer.import_(action.session, text)
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
        action.hint(*notices_of(rows))
        ids = [str(row["workflow_uuid"]) for row in rows]
        action.detail.update(workflows=len(ids), first=ids[0])
        return ids
