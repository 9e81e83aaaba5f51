"""This app's share of the public class ``DBOS``: every method is a docstring and one call.

What returns a program here is offered twice: ``name`` blocks, ``name_async`` is awaited.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

from workflows.engine import (
    decorators,
    events,
    handles,
    managing,
    messages,
    running,
    sleeping,
    steps,
    streams,
)
from workflows.engine.context import FRAME, IDENTITY, StepStatus
from workflows.engine.current import engine
from workflows.engine.programs import Call, Program
from workflows.engine.serialization import WorkflowSerializationFormat
from workflows.engine.status import StepInfo, WorkflowStatus
from workflows.engine.twins import durable, durable_handle, durable_handles, with_twins

DEFAULT = WorkflowSerializationFormat.DEFAULT


class Current:
    """A property of the class itself: ``DBOS.workflow_id``."""

    def __init__(self, read: Callable[[], Any]) -> None:
        self._read = read
        self.__doc__ = read.__doc__

    def __get__(self, instance: object, owner: type) -> Any:
        return self._read()


def _workflow_id() -> str | None:
    """Id of the workflow that the current code belongs to, or None."""
    current = FRAME.get()
    return current.execution.workflow_id if current is not None else None


def _step_status() -> StepStatus | None:
    """The step being executed, with its attempt counted from zero, or None."""
    current = FRAME.get()
    return current.step if current is not None else None


def _step_id() -> int | None:
    """Id of the step being executed, or None outside of one."""
    status = _step_status()
    return status.step_id if status is not None else None


@with_twins
class WorkflowsAPI:
    """Workflows, steps, communication and management."""

    logger = logging.getLogger("dboshub.app")
    workflow_id = Current(_workflow_id)
    step_id = Current(_step_id)
    step_status = Current(_step_status)
    application_version = Current(lambda: engine().settings.application_version)
    executor_id = Current(lambda: engine().settings.executor_id)
    authenticated_user = Current(lambda: IDENTITY.get().user)
    authenticated_roles = Current(lambda: [*IDENTITY.get().roles])
    assumed_role = Current(lambda: IDENTITY.get().assumed_role)

    workflow = staticmethod(decorators.workflow)
    step = staticmethod(decorators.durable_step)
    dbos_class = staticmethod(decorators.dbos_class)

    # -- starting and awaiting -------------------------------------------------------------

    @durable_handle
    def start_workflow(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Program[str]:
        """Start a workflow in the background; returns a handle once its row is durable."""
        return running.start(engine(), engine().registry.target(func), args, kwargs)

    @durable_handle
    def retrieve_workflow(workflow_id: str, existing_workflow: bool = True) -> Program[str]:
        """A handle for an id. Raises DBOSNonExistentWorkflowError unless told not to look."""
        return _retrieve(workflow_id, existing_workflow)

    @durable
    def get_result(workflow_id: str) -> Program[Any]:
        """Wait for any workflow by id; an unknown id is waited for, as its row may yet come."""
        return handles.result_of(workflow_id, is_handle=False)

    @durable
    def run_step(
        dbos_step_options: dict[str, Any] | None,
        func: Callable[..., Any],
        *args: Any,
        **kwargs: Any,
    ) -> Program[Any]:
        """Run any callable as a step, without decorating it; options as for ``step``."""
        return _run_step(dbos_step_options or {}, func, args, kwargs)

    # -- communication ---------------------------------------------------------------------

    @durable
    def sleep(seconds: float) -> Program[None]:
        """Sleep durably: a workflow that is recovered sleeps only what is left."""
        return sleeping.sleep(seconds)

    @durable
    def send(
        destination_id: str,
        message: Any,
        topic: str | None = None,
        *,
        idempotency_key: str | None = None,
        serialization_type: WorkflowSerializationFormat | None = DEFAULT,
    ) -> Program[None]:
        """Send a message to a workflow. Raises DBOSNonExistentWorkflowError for an unknown one."""
        return messages.send(
            engine(),
            destination_id,
            message,
            topic,
            idempotency_key=idempotency_key,
            serialization=serialization_type,
        )

    @durable
    def recv(topic: str | None = None, timeout_seconds: float = 60) -> Program[Any]:
        """Wait for the oldest unconsumed message of a topic; None if none comes in time."""
        return messages.recv(topic, timeout_seconds)

    @durable
    def set_event(
        key: str,
        value: Any,
        *,
        serialization_type: WorkflowSerializationFormat = DEFAULT,
    ) -> Program[None]:
        """Publish the latest value of a key of this workflow."""
        return events.set_event(key, value, serialization_type)

    @durable
    def get_event(workflow_id: str, key: str, timeout_seconds: float = 60) -> Program[Any]:
        """Wait for a key of a workflow to be published; None if it is not in time."""
        return events.get_event(engine(), workflow_id, key, timeout_seconds)

    @durable
    def get_all_events(workflow_id: str) -> Program[dict[str, Any]]:
        """The latest value of every key a workflow has published."""
        return events.get_all_events(engine(), workflow_id)

    @durable
    def write_stream(
        key: str,
        value: Any,
        *,
        serialization_type: WorkflowSerializationFormat = DEFAULT,
    ) -> Program[None]:
        """Append a value to a stream of this workflow."""
        return streams.write_stream(key, value, serialization_type)

    @durable
    def close_stream(key: str) -> Program[None]:
        """End a stream: readers stop here."""
        return streams.close_stream(key)

    @staticmethod
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

    # -- management ------------------------------------------------------------------------

    @durable
    def get_workflow_status(workflow_id: str) -> Program[WorkflowStatus | None]:
        """The status of a workflow, or None if there is none by that id."""
        return managing.get_status(engine(), workflow_id)

    @durable
    def list_workflows(**filters: Any) -> Program[list[WorkflowStatus]]:
        """Workflows that match all filters, oldest first; see the reference for their names."""
        return managing.list_workflows(engine(), filters)

    @durable
    def list_queued_workflows(**filters: Any) -> Program[list[WorkflowStatus]]:
        """Workflows on queues, by the same filters."""
        return managing.list_queued(engine(), filters)

    @durable
    def list_workflow_steps(
        workflow_id: str,
        *,
        load_output: bool = True,
        limit: int | None = None,
        offset: int | None = None,
    ) -> Program[list[StepInfo]]:
        """The recorded steps of a workflow, in order."""
        return managing.list_steps(
            engine(), workflow_id, load_output=load_output, limit=limit, offset=offset
        )

    @durable
    def cancel_workflow(workflow_id: str, *, cancel_children: bool = False) -> Program[None]:
        """Cancel: running code stops at its next durable call. Unknown ids are ignored."""
        return managing.cancel(engine(), [workflow_id], children=cancel_children)

    @durable
    def cancel_workflows(
        workflow_ids: list[str], *, cancel_children: bool = False
    ) -> Program[None]:
        """Cancel many at once."""
        return managing.cancel(engine(), workflow_ids, children=cancel_children)

    @durable_handle
    def resume_workflow(workflow_id: str, *, queue_name: str | None = None) -> Program[str]:
        """Run again from the first unrecorded step; no effect on SUCCESS and ERROR."""
        return _then(managing.resume(engine(), [workflow_id], queue_name=queue_name), workflow_id)

    @durable_handles
    def resume_workflows(
        workflow_ids: list[str], *, queue_name: str | None = None
    ) -> Program[list[str]]:
        """Resume all, or none if one is missing."""
        return _then(managing.resume(engine(), workflow_ids, queue_name=queue_name), workflow_ids)

    @durable_handle
    def fork_workflow(
        workflow_id: str,
        start_step: int,
        *,
        application_version: str | None = None,
        queue_name: str | None = None,
        queue_partition_key: str | None = None,
        replacement_children: dict[str, str] | None = None,
        timeout_seconds: float | None = None,
    ) -> Program[str]:
        """A new workflow with the steps before `start_step` copied; it goes on from there."""
        forked = managing.fork(
            engine(),
            workflow_id,
            start_step,
            application_version=application_version,
            queue_name=queue_name,
            queue_partition_key=queue_partition_key,
            replacement_children=replacement_children,
            timeout_seconds=timeout_seconds,
        )
        return _retrieved(forked)

    @durable
    def delete_workflow(workflow_id: str, *, delete_children: bool = False) -> Program[None]:
        """Delete a workflow in any status with all its data. Unknown ids are ignored."""
        return managing.delete(engine(), [workflow_id], children=delete_children)

    @durable
    def delete_workflows(
        workflow_ids: list[str], *, delete_children: bool = False
    ) -> Program[None]:
        """Delete many at once."""
        return managing.delete(engine(), workflow_ids, children=delete_children)


def _retrieve(workflow_id: str, existing: bool) -> Program[str]:
    if existing:
        return _then(handles.status_of(workflow_id), workflow_id)
    return _then(None, workflow_id)


def _retrieved(forked: Program[str]) -> Program[str]:
    """As the peer does: the new workflow is looked up, which is a step of its own."""
    new_id = yield from forked
    yield from handles.status_of(new_id)
    return new_id


def _then(first: Program[Any] | None, value: Any) -> Program[Any]:
    if first is not None:
        yield from first
    return value


def _run_step(
    options: dict[str, Any], func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Program[Any]:
    current = FRAME.get()
    if current is None or current.step is not None:
        return _plainly(func, args, kwargs)
    policy = steps.StepPolicy(**{"name": func.__qualname__, **options})
    return steps.step(current.execution, policy, func, args, kwargs)


def _plainly(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Program[Any]:
    outcome = yield Call(func, args, kwargs)
    return outcome.unwrap()
