"""The subcommand ``workflow why``: what keeps a workflow from running, and what to do."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from dboshub.management.terminal import Subcommand, workflow_id
from dboshub.workflows.connection import reading
from dboshub.workflows.rendering.status_reasons import reason
from dboshub.workflows.rendering.usual_times import with_usual_times
from dboshub.workflows.selectors.detail.steps import latest
from dboshub.workflows.selectors.rows import row
from dboshub.workflows.storage.database_clock import database_now


def why(*, workflow_id: str, **_: Any) -> dict[str, Any]:
    with reading() as session:
        found = None if "\x00" in workflow_id else row(session, workflow_id)
        if found is None:
            raise CommandError(f"There is no workflow {workflow_id!r}.")
        now = database_now(session)
        answer = reason(session, found, latest(session, workflow_id), now=now)
        told = with_usual_times(session, answer, found).as_json()
    return {"workflow_id": workflow_id, "status": found.status, **told}


WHY = Subcommand(
    "why", "say why it does not run, what blocks it and what to do", why, (workflow_id,)
)
