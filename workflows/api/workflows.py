"""Part of the public class ``DBOS``: start workflows and communicate with them.

Each program has two forms: ``name`` blocks, ``name_async`` is awaited.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from typing import Any

from dboshub.workflows.api.aggregates import AggregatesAPI
from dboshub.workflows.api.functions import FunctionsAPI
from dboshub.workflows.api.management import ManagementAPI, returning
from dboshub.workflows.api.transfer import TransferAPI
from dboshub.workflows.engine import handles
from dboshub.workflows.engine.current_engine import engine
from dboshub.workflows.engine.operations import events, messages, sending, sleeping, streams
from dboshub.workflows.engine.operations.sending import SendMessage
from dboshub.workflows.engine.operations.sending_each import SendAnswers, send_each
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.records import UnseenId
from dboshub.workflows.engine.runtime import enqueueing
from dboshub.workflows.engine.runtime.bulk_answers import Answers
from dboshub.workflows.engine.runtime.bulk_starting import start_all
from dboshub.workflows.engine.runtime.workflow_call import WorkflowCall
from dboshub.workflows.engine.serialization import WorkflowSerializationFormat
from dboshub.workflows.engine.shard_keys import accept_null_shard_key
from dboshub.workflows.engine.sync_async import (
    async_form,
    async_handle_form,
    sync_form,
    sync_handle_form,
)
from dboshub.workflows.engine.typed_bulk_calls import (
    async_send_bulk_form,
    async_start_all_form,
    send_bulk_form,
    start_all_form,
)
from dboshub.workflows.engine.typed_calls import async_start_form, start_form

DEFAULT = WorkflowSerializationFormat.DEFAULT


class WorkflowsAPI(FunctionsAPI, ManagementAPI, TransferAPI, AggregatesAPI):
    """Start workflows and communicate with them; the base classes define and manage them."""

    # -- starting and awaiting -------------------------------------------------------------

    @start_form
    def start_workflow(func: Callable[..., Any] | str, *args: Any, **kwargs: Any) -> Program[str]:
        """Start a workflow in the background; returns a handle once its row is durable.

        If it is given by name, or nothing is launched here, any executor of the application runs
        it.
        """
        return enqueueing.start(engine(), func, args, kwargs)

    start_workflow_async = async_start_form(start_workflow)

    @start_all_form
    def start_workflows(
        calls: Iterable[WorkflowCall[Any]], *, atomic: bool = False
    ) -> Program[Answers]:
        """Start many workflows by a few statements; returns a handle or an error for each.

        See ``start_workflow``, and ``enqueue_workflows`` for `atomic`.
        """
        return start_all(engine(), [*calls], is_atomic=atomic)

    start_workflows_async = async_start_all_form(start_workflows)

    @sync_handle_form
    def retrieve_workflow(workflow_id: str, existing_workflow: bool = True) -> Program[str]:
        """A handle for an id.

        Raises DBOSNonExistentWorkflowError for an unknown id, unless `existing_workflow` is False.
        """
        return _retrieve(workflow_id, existing_workflow)

    retrieve_workflow_async = async_handle_form(retrieve_workflow)

    @sync_form
    def get_result(workflow_id: str) -> Program[Any]:
        """Wait for the result of a workflow, which need not exist yet."""
        return handles.result_of(workflow_id, is_handle=False, must_exist=False)

    get_result_async = async_form(get_result)

    # -- communication ---------------------------------------------------------------------

    @sync_form
    def sleep(seconds: float) -> Program[None]:
        """Sleep durably: a recovered workflow sleeps only for the rest of the time."""
        return sleeping.sleep(seconds)

    sleep_async = async_form(sleep)

    @sync_form
    def send(
        destination_id: str,
        message: Any,
        topic: str | None = None,
        *,
        idempotency_key: str | None = None,
        serialization_type: WorkflowSerializationFormat | None = DEFAULT,
        send_to_forks: bool = False,
    ) -> Program[None]:
        """Send a message to a workflow. Raises DBOSNonExistentWorkflowError for an unknown one.

        `send_to_forks` also sends it to all forks of the workflow. A message with an
        `idempotency_key` is delivered once.
        """
        return sending.send(
            engine(),
            SendMessage(destination_id, message, topic, idempotency_key),
            serialization=serialization_type,
            to_forks=send_to_forks,
        )

    send_async = async_form(send)

    @send_bulk_form
    def send_bulk(
        messages: list[SendMessage],
        *,
        serialization_type: WorkflowSerializationFormat | None = DEFAULT,
        send_to_forks: bool = False,
        atomic: bool = True,
    ) -> Program[SendAnswers | None]:
        """Send many messages by a few statements: all or none.

        Raises DBOSNonExistentWorkflowError if a destination does not exist. Without `atomic` each
        is sent for itself; returns None for each that was sent, or its error, in their order.
        """
        send = sending.send_bulk if atomic else send_each
        return send(engine(), messages, serialization=serialization_type, to_forks=send_to_forks)

    send_bulk_async = async_send_bulk_form(send_bulk)

    @sync_form
    def recv(topic: str | None = None, timeout_seconds: float = 60) -> Program[Any]:
        """Consume the oldest message of a topic; waits for one; None at the timeout."""
        return messages.recv(topic, timeout_seconds)

    recv_async = async_form(recv)

    @sync_form
    def set_event(
        key: str,
        value: Any,
        *,
        serialization_type: WorkflowSerializationFormat = DEFAULT,
    ) -> Program[None]:
        """Set the value of an event of this workflow."""
        return events.set_event(key, value, serialization_type)

    set_event_async = async_form(set_event)

    @sync_form
    def get_event(workflow_id: str, key: str, timeout_seconds: float = 60) -> Program[Any]:
        """The value of an event of a workflow; waits until it is set; None at the timeout."""
        return events.get_event(engine(), workflow_id, key, timeout_seconds)

    get_event_async = async_form(get_event)

    @sync_form
    def get_all_events(workflow_id: str) -> Program[dict[str, Any]]:
        """The values of all events of a workflow, by key."""
        return events.get_all_events(engine(), workflow_id)

    get_all_events_async = async_form(get_all_events)

    @sync_form
    def write_stream(
        key: str,
        value: Any,
        *,
        serialization_type: WorkflowSerializationFormat = DEFAULT,
    ) -> Program[None]:
        """Append a value to a stream of this workflow."""
        return streams.write_stream(key, value, serialization_type)

    write_stream_async = async_form(write_stream)

    @sync_form
    def close_stream(key: str) -> Program[None]:
        """Close a stream of this workflow: its readers stop."""
        return streams.close_stream(key)

    close_stream_async = async_form(close_stream)

    @staticmethod
    @accept_null_shard_key
    def read_stream(
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
        return streams.Reader(
            engine(), workflow_id, key, offset, timeout_seconds, polling_interval_sec
        ).values()

    @staticmethod
    @accept_null_shard_key
    def read_stream_async(
        workflow_id: str,
        key: str,
        *,
        offset: int = 0,
        polling_interval_sec: float | None = None,
        timeout_seconds: float | None = None,
    ) -> AsyncGenerator[Any, None]:
        """Yield the values of a stream for ``async for``; see ``read_stream``."""
        return streams.Reader(
            engine(), workflow_id, key, offset, timeout_seconds, polling_interval_sec
        ).values_async()

    @sync_form
    def read_stream_offset(
        workflow_id: str,
        key: str,
        offset: int,
        *,
        polling_interval_sec: float | None = None,
        timeout_seconds: float | None = None,
    ) -> Program[Any]:
        """The value at an offset of a stream, as soon as it is written.

        Raises DBOSStreamTimeoutError if that takes longer than `timeout_seconds`, or if the stream
        ends before the offset.
        """
        return streams.Reader(
            engine(), workflow_id, key, offset, timeout_seconds, polling_interval_sec
        ).value()

    read_stream_offset_async = async_form(read_stream_offset)


def _retrieve(workflow_id: str, existing: bool) -> Program[str]:
    if existing:
        return returning(handles.status_of(workflow_id), workflow_id)
    return returning(None, UnseenId(workflow_id))
