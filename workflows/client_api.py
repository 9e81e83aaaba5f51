"""This app's share of ``DBOSClient``: enqueue, talk to workflows, list and steer them.

A client runs nothing and checkpoints nothing, also when a workflow's code calls it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from workflows.api import DEFAULT, WorkflowsAPI
from workflows.engine import handles, renaming, sending, streams
from workflows.engine.current import Outsider, engine, within
from workflows.engine.enqueueing import EnqueueOptions, enqueue_as, order
from workflows.engine.handles import WorkflowHandle
from workflows.engine.ports import Joined
from workflows.engine.programs import Program, run
from workflows.engine.renaming import ApplicationRowCounts
from workflows.engine.sending import SendMessage
from workflows.engine.serialization import WorkflowSerializationFormat
from workflows.engine.sharding import unsharded
from workflows.engine.twins import durable, durable_handle, offer, with_twins
from workflows.management_api import then

# The caller's transaction, while a client writes in it.
JOINED: ContextVar[Joined | None] = ContextVar("dboshub_joined", default=None)
OFFERED = (
    *("get_event", "get_all_events", "send_bulk", "read_stream_offset", "wait_first"),
    *("list_workflows", "list_queued_workflows", "list_workflow_steps"),
    *("cancel_workflow", "cancel_workflows", "resume_workflow", "resume_workflows"),
    *("fork_workflow", "rewind_workflow", "delete_workflow", "delete_workflows"),
    *("set_workflow_delay", "update_workflow_attributes"),
    *("list_application_versions", "get_latest_application_version"),
    *("set_latest_application_version", "export_workflow", "import_workflow"),
    *("fork_from_failure", "get_workflow_aggregates", "get_step_aggregates", "get_metrics"),
)


@with_twins
class _Calls:
    """What a client's methods do where they differ from those of ``DBOS``."""

    @durable_handle
    def enqueue(options: EnqueueOptions, *args: Any, **kwargs: Any) -> Program[str]:
        """Enqueue a workflow by name; returns a handle once its row is durable.

        Raises DBOSQueueDeduplicatedError, DBOSWorkflowIDInUseError and
        DBOSConflictingWorkflowError as within an application.
        """
        return enqueue_as(engine(), order(options), args, kwargs)

    @durable
    def send(
        destination_id: str,
        message: Any,
        topic: str | None = None,
        idempotency_key: str | None = None,
        *,
        serialization_type: WorkflowSerializationFormat | None = DEFAULT,
        send_to_forks: bool = False,
    ) -> Program[None]:
        """Send a message to a workflow. Raises DBOSNonExistentWorkflowError for an unknown one."""
        given = SendMessage(destination_id, message, topic, idempotency_key)
        return sending.send(
            engine(), given, serialization=serialization_type, to_forks=send_to_forks
        )

    @durable
    def rename_application(
        old_name: str | None,
        new_name: str,
        *,
        batch_size: int | None = 10_000,
        adopt_unclaimed_rows: bool = False,
    ) -> Program[ApplicationRowCounts]:
        """Give all that an application owns to another name; how many rows of each kind.

        Stop its executors first, and start them under the new name. `adopt_unclaimed_rows` takes
        what nobody owns as well; without an old name, that alone.
        """
        return renaming.rename_application(
            engine(), old_name, new_name, batch_size=batch_size, adopt=adopt_unclaimed_rows
        )

    @durable_handle
    def retrieve_workflow(workflow_id: str) -> Program[str]:
        """A handle for an id. Raises DBOSNonExistentWorkflowError."""
        return then(handles.status_of(workflow_id), workflow_id)


class WorkflowsClient(ABC):
    """Workflows and their communication, from outside."""

    _outsider: Outsider

    @abstractmethod
    def _joined(self, connection: Any) -> Joined:
        """The transaction that a caller's connection has open."""

    def enqueue_in_transaction(
        self, conn_or_session: Any, options: EnqueueOptions, *args: Any, **kwargs: Any
    ) -> WorkflowHandle[Any]:
        """Enqueue within the caller's transaction: it runs if that commits, and only then.

        `conn_or_session` is a connection to the system database: SQLAlchemy's (or a session),
        psycopg's, sqlite3's or Django's.
        """
        with self._within_transaction(conn_or_session):
            return WorkflowHandle(run(enqueue_as(engine(), order(options), args, kwargs)))

    @unsharded
    def send_in_transaction(
        self,
        conn_or_session: Any,
        destination_id: str,
        message: Any,
        topic: str | None = None,
        idempotency_key: str | None = None,
        *,
        serialization_type: WorkflowSerializationFormat | None = DEFAULT,
        send_to_forks: bool = False,
    ) -> None:
        """Send within the caller's transaction."""
        given = SendMessage(destination_id, message, topic, idempotency_key)
        with self._within_transaction(conn_or_session):
            run(
                sending.send(
                    engine(), given, serialization=serialization_type, to_forks=send_to_forks
                )
            )

    def send_bulk_in_transaction(
        self,
        conn_or_session: Any,
        messages: list[SendMessage],
        *,
        serialization_type: WorkflowSerializationFormat | None = DEFAULT,
        send_to_forks: bool = False,
    ) -> None:
        """Send several within the caller's transaction."""
        with self._within_transaction(conn_or_session):
            run(
                sending.send_bulk(
                    engine(), messages, serialization=serialization_type, to_forks=send_to_forks
                )
            )

    @contextmanager
    def _within_transaction(self, connection: Any) -> Iterator[None]:
        token = JOINED.set(self._joined(connection))
        try:
            with within(self._outsider):
                yield
        finally:
            JOINED.reset(token)

    @unsharded
    def read_stream(
        self,
        workflow_id: str,
        key: str,
        *,
        offset: int = 0,
        polling_interval_sec: float | None = None,
        timeout_seconds: float | None = None,
    ) -> Generator[Any, None, None]:
        """Values of a stream as they come, until it is closed or its workflow has ended."""
        return self._reader(workflow_id, key, offset, timeout_seconds).values()

    @unsharded
    def read_stream_async(
        self,
        workflow_id: str,
        key: str,
        *,
        offset: int = 0,
        polling_interval_sec: float | None = None,
        timeout_seconds: float | None = None,
    ) -> AsyncGenerator[Any, None]:
        """Do the same for ``async for``."""
        return self._reader(workflow_id, key, offset, timeout_seconds).values_async()

    def _reader(
        self, workflow_id: str, key: str, offset: int, timeout_seconds: float | None
    ) -> streams.Reader:
        with within(self._outsider):
            return streams.Reader(engine(), workflow_id, key, offset, timeout_seconds)


offer(WorkflowsClient, _Calls, "enqueue", "send", "retrieve_workflow", "rename_application")
offer(WorkflowsClient, WorkflowsAPI, *OFFERED)
