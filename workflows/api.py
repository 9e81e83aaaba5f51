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
from workflows.engine.twins import durable, durable_handle, with_twins
from workflows.management_api import ManagementAPI, then

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
class WorkflowsAPI(ManagementAPI):
    """Workflows, steps and communication; management comes with it."""

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


def _retrieve(workflow_id: str, existing: bool) -> Program[str]:
    if existing:
        return then(handles.status_of(workflow_id), workflow_id)
    return then(None, workflow_id)


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
