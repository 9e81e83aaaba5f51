"""This app's share of the public class ``DBOS``: every method is a docstring and one call.

What returns a program here is offered twice: ``name`` blocks, ``name_async`` is awaited.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

from dboshub.workflows.api.aggregates import AggregatesAPI
from dboshub.workflows.api.functions import FunctionsAPI
from dboshub.workflows.api.management import ManagementAPI, then
from dboshub.workflows.api.transfer import TransferAPI
from dboshub.workflows.engine import handles
from dboshub.workflows.engine.current_engine import engine
from dboshub.workflows.engine.operations import events, messages, sending, sleeping, streams
from dboshub.workflows.engine.operations.sending import SendMessage
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.runtime import enqueueing
from dboshub.workflows.engine.serialization import WorkflowSerializationFormat
from dboshub.workflows.engine.shard_keys import accept_null_shard_key
from dboshub.workflows.engine.sync_async import awaited, awaited_handle, durable, durable_handle

DEFAULT = WorkflowSerializationFormat.DEFAULT


class WorkflowsAPI(FunctionsAPI, ManagementAPI, TransferAPI, AggregatesAPI):
    """Starting and communication; what makes workflows, and manages them, comes with it."""

    # -- starting and awaiting -------------------------------------------------------------

    @durable_handle
    def start_workflow(func: Callable[..., Any] | str, *args: Any, **kwargs: Any) -> Program[str]:
        """Start a workflow in the background; returns a handle once its row is durable.

        Given by its name, or where nothing is launched, any executor of the application runs it.
        """
        return enqueueing.start(engine(), func, args, kwargs)

    start_workflow_async = awaited_handle(start_workflow)

    @durable_handle
    def retrieve_workflow(workflow_id: str, existing_workflow: bool = True) -> Program[str]:
        """A handle for an id. Raises DBOSNonExistentWorkflowError unless told not to look."""
        return _retrieve(workflow_id, existing_workflow)

    retrieve_workflow_async = awaited_handle(retrieve_workflow)

    @durable
    def get_result(workflow_id: str) -> Program[Any]:
        """Wait for any workflow by id; an unknown id is waited for, as its row may yet come."""
        return handles.result_of(workflow_id, is_handle=False)

    get_result_async = awaited(get_result)

    # -- communication ---------------------------------------------------------------------

    @durable
    def sleep(seconds: float) -> Program[None]:
        """Sleep durably: a workflow that is recovered sleeps only what is left."""
        return sleeping.sleep(seconds)

    sleep_async = awaited(sleep)

    @durable
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

        `send_to_forks` delivers it to all forks that the workflow has, too.
        """
        return sending.send(
            engine(),
            SendMessage(destination_id, message, topic, idempotency_key),
            serialization=serialization_type,
            to_forks=send_to_forks,
        )

    send_async = awaited(send)

    @durable
    def send_bulk(
        messages: list[SendMessage],
        *,
        serialization_type: WorkflowSerializationFormat | None = DEFAULT,
        send_to_forks: bool = False,
    ) -> Program[None]:
        """Send all of these messages, or none if a destination does not exist."""
        return sending.send_bulk(
            engine(), messages, serialization=serialization_type, to_forks=send_to_forks
        )

    send_bulk_async = awaited(send_bulk)

    @durable
    def recv(topic: str | None = None, timeout_seconds: float = 60) -> Program[Any]:
        """Wait for the oldest unconsumed message of a topic; None if none comes in time."""
        return messages.recv(topic, timeout_seconds)

    recv_async = awaited(recv)

    @durable
    def set_event(
        key: str,
        value: Any,
        *,
        serialization_type: WorkflowSerializationFormat = DEFAULT,
    ) -> Program[None]:
        """Publish the latest value of a key of this workflow."""
        return events.set_event(key, value, serialization_type)

    set_event_async = awaited(set_event)

    @durable
    def get_event(workflow_id: str, key: str, timeout_seconds: float = 60) -> Program[Any]:
        """Wait for a key of a workflow to be published; None if it is not in time."""
        return events.get_event(engine(), workflow_id, key, timeout_seconds)

    get_event_async = awaited(get_event)

    @durable
    def get_all_events(workflow_id: str) -> Program[dict[str, Any]]:
        """The latest value of every key a workflow has published."""
        return events.get_all_events(engine(), workflow_id)

    get_all_events_async = awaited(get_all_events)

    @durable
    def write_stream(
        key: str,
        value: Any,
        *,
        serialization_type: WorkflowSerializationFormat = DEFAULT,
    ) -> Program[None]:
        """Append a value to a stream of this workflow."""
        return streams.write_stream(key, value, serialization_type)

    write_stream_async = awaited(write_stream)

    @durable
    def close_stream(key: str) -> Program[None]:
        """End a stream: readers stop here."""
        return streams.close_stream(key)

    close_stream_async = awaited(close_stream)

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
        """Values of a stream as they come, until it is closed or its workflow has ended.

        Raises DBOSStreamTimeoutError when the next value takes longer than `timeout_seconds`.
        """
        return streams.Reader(engine(), workflow_id, key, offset, timeout_seconds).values()

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
        """Do the same for ``async for``."""
        return streams.Reader(engine(), workflow_id, key, offset, timeout_seconds).values_async()

    @durable
    def read_stream_offset(
        workflow_id: str,
        key: str,
        offset: int,
        *,
        polling_interval_sec: float | None = None,
        timeout_seconds: float | None = None,
    ) -> Program[Any]:
        """The value at one offset of a stream, as soon as it is written.

        Raises DBOSStreamTimeoutError if it takes longer than `timeout_seconds`, or if the stream
        has ended before.
        """
        return streams.Reader(engine(), workflow_id, key, offset, timeout_seconds).value()

    read_stream_offset_async = awaited(read_stream_offset)


def _retrieve(workflow_id: str, existing: bool) -> Program[str]:
    if existing:
        return then(handles.status_of(workflow_id), workflow_id)
    return then(None, workflow_id)
