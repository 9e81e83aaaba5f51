"""Part of ``DBOSClient``: enqueue workflows, exchange messages with them, list and manage them.

A client executes nothing and records no steps, also when the code of a workflow calls it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterable
from typing import Any, cast

from dboshub.workflows.api.client_transactions import TransactionsClient
from dboshub.workflows.api.management import returning
from dboshub.workflows.api.workflows import DEFAULT, WorkflowsAPI
from dboshub.workflows.engine import handles
from dboshub.workflows.engine.control import renaming
from dboshub.workflows.engine.control.renaming import ApplicationRowCounts
from dboshub.workflows.engine.current_engine import engine, using_client
from dboshub.workflows.engine.operations import sending, streams
from dboshub.workflows.engine.operations.sending import SendMessage
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.runtime.bulk_answers import Answers
from dboshub.workflows.engine.runtime.bulk_starting import enqueue_all
from dboshub.workflows.engine.runtime.call_options import EnqueueOptions, checked_parameters
from dboshub.workflows.engine.runtime.enqueueing import enqueue_as, options_of_client
from dboshub.workflows.engine.runtime.workflow_call import WorkflowCall
from dboshub.workflows.engine.serialization import WorkflowSerializationFormat
from dboshub.workflows.engine.shard_keys import accept_null_shard_key
from dboshub.workflows.engine.sync_async import (
    async_form,
    async_handle_form,
    client_method,
    sync_form,
    sync_handle_form,
)
from dboshub.workflows.engine.typed_bulk_calls import (
    EnqueueAll,
    EnqueueAllAsync,
    SendBulk,
    SendBulkAsync,
    async_enqueue_all_form,
    enqueue_all_form,
)

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

    @enqueue_all_form
    def enqueue_workflows(
        queue_name: str, calls: Iterable[WorkflowCall[Any]], *, atomic: bool = False
    ) -> Program[Answers]:
        """Enqueue many workflows by name, by a few statements; see ``DBOS.enqueue_workflows``."""
        return enqueue_all(engine(), queue_name, [*calls], options_of_client(), is_atomic=atomic)

    enqueue_workflows_async = async_enqueue_all_form(enqueue_workflows)

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


class WorkflowsClient(TransactionsClient):
    """Workflows and their communication, for programs that execute nothing."""

    enqueue = client_method(_Calls.enqueue)
    enqueue_async = client_method(_Calls.enqueue_async)
    enqueue_workflows = cast("EnqueueAll", client_method(_Calls.enqueue_workflows))
    enqueue_workflows_async = cast("EnqueueAllAsync", client_method(_Calls.enqueue_workflows_async))
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
    send_bulk = cast("SendBulk", client_method(_API.send_bulk))
    send_bulk_async = cast("SendBulkAsync", client_method(_API.send_bulk_async))
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
        return self._reader(
            workflow_id, key, offset, timeout_seconds, polling_interval_sec
        ).values()

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
        return self._reader(
            workflow_id, key, offset, timeout_seconds, polling_interval_sec
        ).values_async()

    def _reader(
        self,
        workflow_id: str,
        key: str,
        offset: int,
        timeout_s: float | None,
        interval_s: float | None,
    ) -> streams.Reader:
        with using_client(self._client_context):
            return streams.Reader(engine(), workflow_id, key, offset, timeout_s, interval_s)
