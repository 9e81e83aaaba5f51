"""Part of ``DBOSClient``: enqueue workflows, exchange messages with them, list and manage them.

A client executes nothing and records no steps, also when the code of a workflow calls it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from dboshub.workflows.api.management import returning
from dboshub.workflows.api.workflows import DEFAULT, WorkflowsAPI
from dboshub.workflows.engine import handles
from dboshub.workflows.engine.control import renaming
from dboshub.workflows.engine.control.renaming import ApplicationRowCounts
from dboshub.workflows.engine.current_engine import ClientContext, engine, using_client
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.handles import WorkflowHandle
from dboshub.workflows.engine.operations import sending, streams
from dboshub.workflows.engine.operations.sending import SendMessage
from dboshub.workflows.engine.ports import JoinedTransaction
from dboshub.workflows.engine.programs import Program, run
from dboshub.workflows.engine.records import UnseenId
from dboshub.workflows.engine.runtime.enqueueing import (
    EnqueueOptions,
    checked_parameters,
    enqueue_as,
)
from dboshub.workflows.engine.serialization import WorkflowSerializationFormat
from dboshub.workflows.engine.shard_keys import accept_null_shard_key
from dboshub.workflows.engine.sync_async import (
    async_form,
    async_handle_form,
    client_method,
    sync_form,
    sync_handle_form,
)

# The transaction of the caller that a client writes in.
JOINED: ContextVar[JoinedTransaction | None] = ContextVar("dboshub_joined", default=None)
_API = WorkflowsAPI


class _Calls:
    """The calls of a client that differ from those of ``DBOS``."""

    @sync_handle_form
    def enqueue(options: EnqueueOptions, *args: Any, **kwargs: Any) -> Program[str]:
        """Enqueue a workflow by name; returns a handle once its row is durable.

        Raises DBOSQueueDeduplicatedError, DBOSWorkflowIDInUseError and
        DBOSConflictingWorkflowError as ``DBOS.enqueue_workflow`` does.
        """
        return enqueue_as(engine(), checked_parameters(options), args, kwargs)

    enqueue_async = async_handle_form(enqueue)

    @sync_form
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

    send_async = async_form(send)

    @sync_form
    def rename_application(
        old_name: str | None,
        new_name: str,
        *,
        batch_size: int | None = 10_000,
        adopt_unclaimed_rows: bool = False,
    ) -> Program[ApplicationRowCounts]:
        """Give all rows of an application another name; returns the number of rows of each kind.

        Stop its executors first, and start them with the new name. `adopt_unclaimed_rows` also
        takes rows without a name; without `old_name` only those. `batch_size` is in rows.
        """
        return renaming.rename_application(
            engine(), old_name, new_name, batch_size=batch_size, adopt=adopt_unclaimed_rows
        )

    rename_application_async = async_form(rename_application)

    @sync_handle_form
    def retrieve_workflow(workflow_id: str) -> Program[str]:
        """A handle for an id. Raises DBOSNonExistentWorkflowError for an unknown id."""
        return returning(handles.status_of(workflow_id), workflow_id)

    retrieve_workflow_async = async_handle_form(retrieve_workflow)


class WorkflowsClient(ABC):
    """Workflows and their communication, for programs that execute nothing."""

    _client_context: ClientContext

    @abstractmethod
    def _joined(self, connection: Any) -> JoinedTransaction:
        """The transaction that a caller's connection has open."""

    enqueue = client_method(_Calls.enqueue)
    enqueue_async = client_method(_Calls.enqueue_async)
    send = client_method(_Calls.send)
    send_async = client_method(_Calls.send_async)
    retrieve_workflow = client_method(_Calls.retrieve_workflow)
    retrieve_workflow_async = client_method(_Calls.retrieve_workflow_async)
    rename_application = client_method(_Calls.rename_application)
    rename_application_async = client_method(_Calls.rename_application_async)

    get_event = client_method(_API.get_event)
    get_event_async = client_method(_API.get_event_async)
    get_all_events = client_method(_API.get_all_events)
    get_all_events_async = client_method(_API.get_all_events_async)
    send_bulk = client_method(_API.send_bulk)
    send_bulk_async = client_method(_API.send_bulk_async)
    read_stream_offset = client_method(_API.read_stream_offset)
    read_stream_offset_async = client_method(_API.read_stream_offset_async)
    wait_first = client_method(_API.wait_first)
    wait_first_async = client_method(_API.wait_first_async)
    list_workflows = client_method(_API.list_workflows)
    list_workflows_async = client_method(_API.list_workflows_async)
    list_queued_workflows = client_method(_API.list_queued_workflows)
    list_queued_workflows_async = client_method(_API.list_queued_workflows_async)
    list_workflow_steps = client_method(_API.list_workflow_steps)
    list_workflow_steps_async = client_method(_API.list_workflow_steps_async)
    cancel_workflow = client_method(_API.cancel_workflow)
    cancel_workflow_async = client_method(_API.cancel_workflow_async)
    cancel_workflows = client_method(_API.cancel_workflows)
    cancel_workflows_async = client_method(_API.cancel_workflows_async)
    resume_workflow = client_method(_API.resume_workflow)
    resume_workflow_async = client_method(_API.resume_workflow_async)
    resume_workflows = client_method(_API.resume_workflows)
    resume_workflows_async = client_method(_API.resume_workflows_async)
    fork_workflow = client_method(_API.fork_workflow)
    fork_workflow_async = client_method(_API.fork_workflow_async)
    rewind_workflow = client_method(_API.rewind_workflow)
    rewind_workflow_async = client_method(_API.rewind_workflow_async)
    delete_workflow = client_method(_API.delete_workflow)
    delete_workflow_async = client_method(_API.delete_workflow_async)
    delete_workflows = client_method(_API.delete_workflows)
    delete_workflows_async = client_method(_API.delete_workflows_async)
    set_workflow_delay = client_method(_API.set_workflow_delay)
    set_workflow_delay_async = client_method(_API.set_workflow_delay_async)
    update_workflow_attributes = client_method(_API.update_workflow_attributes)
    update_workflow_attributes_async = client_method(_API.update_workflow_attributes_async)
    list_application_versions = client_method(_API.list_application_versions)
    list_application_versions_async = client_method(_API.list_application_versions_async)
    get_latest_application_version = client_method(_API.get_latest_application_version)
    get_latest_application_version_async = client_method(_API.get_latest_application_version_async)
    set_latest_application_version = client_method(_API.set_latest_application_version)
    set_latest_application_version_async = client_method(_API.set_latest_application_version_async)
    export_workflow = client_method(_API.export_workflow)
    export_workflow_async = client_method(_API.export_workflow_async)
    import_workflow = client_method(_API.import_workflow)
    import_workflow_async = client_method(_API.import_workflow_async)
    fork_from_failure = client_method(_API.fork_from_failure)
    fork_from_failure_async = client_method(_API.fork_from_failure_async)
    get_workflow_aggregates = client_method(_API.get_workflow_aggregates)
    get_workflow_aggregates_async = client_method(_API.get_workflow_aggregates_async)
    get_step_aggregates = client_method(_API.get_step_aggregates)
    get_step_aggregates_async = client_method(_API.get_step_aggregates_async)
    get_metrics = client_method(_API.get_metrics)
    get_metrics_async = client_method(_API.get_metrics_async)

    def enqueue_in_transaction(
        self, conn_or_session: Any, options: EnqueueOptions, *args: Any, **kwargs: Any
    ) -> WorkflowHandle[Any]:
        """Enqueue in the caller's transaction: the workflow exists once that commits.

        `conn_or_session` is a connection to the system database: SQLAlchemy's (or a session),
        psycopg's, sqlite3's or Django's. Raises DBOSException for a ``duplication_policy``
        ``return-existing``: what exists may not be committed yet.
        """
        if options.get("duplication_policy") == "return-existing":
            raise DBOSException(
                "duplication_policy 'return-existing' is not supported by enqueue_in_transaction. "
                "Use enqueue instead."
            )
        with self._within_transaction(conn_or_session):
            workflow_id = run(enqueue_as(engine(), checked_parameters(options), args, kwargs))
            return WorkflowHandle(UnseenId(workflow_id))

    @accept_null_shard_key
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
        """Send a message in the caller's transaction; see ``enqueue_in_transaction``."""
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
        """Send messages in the caller's transaction; see ``enqueue_in_transaction``."""
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
            with using_client(self._client_context):
                yield
        finally:
            JOINED.reset(token)

    @accept_null_shard_key
    def read_stream(
        self,
        workflow_id: str,
        key: str,
        *,
        offset: int = 0,
        polling_interval_sec: float | None = None,
        timeout_seconds: float | None = None,
    ) -> Generator[Any, None, None]:
        """Yield the values of a stream until it is closed or its workflow has ended.

        Raises DBOSStreamTimeoutError if the next value takes longer than `timeout_seconds`.
        """
        return self._reader(workflow_id, key, offset, timeout_seconds).values()

    @accept_null_shard_key
    def read_stream_async(
        self,
        workflow_id: str,
        key: str,
        *,
        offset: int = 0,
        polling_interval_sec: float | None = None,
        timeout_seconds: float | None = None,
    ) -> AsyncGenerator[Any, None]:
        """Yield the values of a stream for ``async for``; see ``read_stream``."""
        return self._reader(workflow_id, key, offset, timeout_seconds).values_async()

    def _reader(
        self, workflow_id: str, key: str, offset: int, timeout_seconds: float | None
    ) -> streams.Reader:
        with using_client(self._client_context):
            return streams.Reader(engine(), workflow_id, key, offset, timeout_seconds)
