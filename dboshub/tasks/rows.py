"""Tasks in the system database: written and read by whichever process asks."""

from __future__ import annotations

from typing import Any

from dboshub.queues.api.facade import QueuesAPI
from dboshub.runtime.django_client import process_client
from dboshub.workflows.connection import reading
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.runtime.call_options import EnqueueOptions
from dboshub.workflows.storage.listing import workflow_rows


def enqueue(options: EnqueueOptions, args: Any, kwargs: Any) -> str:
    """Enqueue through the engine that is launched here, or else as a client; the new id.

    Within ``transaction.atomic()`` on the system database it commits, or not, with the rest.
    """
    client = None if current_engine.is_launched() else process_client.client().context
    with current_engine.using_client(client):
        handle = QueuesAPI.enqueue_workflow_with_options(options, *args, **kwargs)
    return str(handle.workflow_id)


def row_of(workflow_id: str) -> dict[str, Any] | None:
    """A workflow's row with its payloads as they are written: nothing is decoded."""
    if current_engine.is_launched():
        found = current_engine.engine().store.workflows(workflow_ids=[workflow_id])
    else:
        with reading() as session:
            found = workflow_rows.workflows(session, {"workflow_ids": [workflow_id]})
    return found[0] if found else None
