"""Tasks in the system database: written and read by whichever process asks."""

from __future__ import annotations

import os
import threading
from typing import Any

from dboshub.client import DBOSClient
from dboshub.queues.api.facade import QueuesAPI
from dboshub.runtime.worker_setup import configuration
from dboshub.workflows.connection import reading
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.runtime.enqueueing import EnqueueOptions
from dboshub.workflows.storage.listing import workflow_rows


class Enqueuer:
    """Enqueues through the engine that is launched here, or else a client made when needed.

    Within ``transaction.atomic()`` on the system database it commits, or not, with the rest.
    """

    def __init__(self) -> None:
        self._client: DBOSClient | None = None
        self._pid = 0
        self._lock = threading.Lock()

    def enqueue(self, options: EnqueueOptions, args: Any, kwargs: Any) -> str:
        """The id of the new workflow."""
        if current_engine.is_launched():
            handle = QueuesAPI.enqueue_workflow_with_options(options, *args, **kwargs)
        else:
            handle = self._connected().enqueue(options, *args, **kwargs)
        return str(handle.workflow_id)

    def close(self) -> None:
        """End the client, if there is one; the next call makes another."""
        with self._lock:
            client, self._client = self._client, None
            if client is not None and self._pid == os.getpid():
                client.destroy()

    def _connected(self) -> DBOSClient:
        with self._lock:
            if self._client is None or self._pid != os.getpid():
                config = configuration()
                self._pid = os.getpid()
                self._client = DBOSClient(
                    system_database_url=config["system_database_url"],
                    dbos_system_schema=config["dbos_system_schema"],
                    application_name=config["name"],
                )
            return self._client


def row_of(workflow_id: str) -> dict[str, Any] | None:
    """A workflow's row with its payloads as they are written: nothing is decoded."""
    if current_engine.is_launched():
        found = current_engine.engine().store.workflows(workflow_ids=[workflow_id])
    else:
        with reading() as session:
            found = workflow_rows.workflows(session, {"workflow_ids": [workflow_id]})
    return found[0] if found else None
