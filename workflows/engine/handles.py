"""Handles of workflows: get a result or a status by workflow id."""

from __future__ import annotations

from asyncio import _get_running_loop
from typing import Any, Generic, TypeVar

from dboshub.workflows.engine.context import frame
from dboshub.workflows.engine.control import management
from dboshub.workflows.engine.current_engine import (
    CLIENT_CONTEXT,
    ClientContext,
    engine,
    using_client,
)
from dboshub.workflows.engine.errors import DBOSNonExistentWorkflowError
from dboshub.workflows.engine.programs import Program, refuse_in_loop, run, run_async
from dboshub.workflows.engine.records import UnseenId
from dboshub.workflows.engine.runtime.effects import drawn_late
from dboshub.workflows.engine.status import WorkflowStatus
from dboshub.workflows.engine.waiting.workflow_result import get_result, result_drawn_late

R = TypeVar("R")


def result_of(workflow_id: str, *, is_handle: bool = True, must_exist: bool) -> Program[Any]:
    """The result of a workflow, as soon as it has one. In a workflow body this is a step.

    Raises DBOSNonExistentWorkflowError if it does not exist, or is deleted meanwhile; without
    `must_exist` it may begin later.
    """
    current = frame()
    execution = current.execution if current is not None and current.step is None else None
    return get_result(engine(), workflow_id, execution, is_handle=is_handle, must_exist=must_exist)


def result_of_awaited(workflow_id: str, *, must_exist: bool) -> Program[Any]:
    """The result of a handle that a coroutine awaits: its step number is drawn at the end."""
    current = frame()
    if current is None or current.step is not None:
        return get_result(engine(), workflow_id, None, is_handle=True, must_exist=must_exist)
    return result_drawn_late(current.execution, workflow_id, must_exist=must_exist)


def status_of(workflow_id: str, step_id: int | None = None) -> Program[WorkflowStatus]:
    """The status of a workflow. Raises DBOSNonExistentWorkflowError for an unknown id."""
    return _expect(workflow_id, management.get_status(engine(), workflow_id, step_id))


def retrieved(forked: Program[str]) -> Program[str]:
    """Read the status of a fork, which is a step of its own in the dbos library, too.

    There a coroutine draws the id of that step before the fork is made.
    """
    current = frame()
    is_step = current is not None and current.step is None and _get_running_loop() is not None
    step_id = current.execution.next_id() if current is not None and is_step else None
    return _retrieved(forked, step_id)


def _retrieved(forked: Program[str], step_id: int | None) -> Program[str]:
    new_id = yield from forked
    yield from status_of(new_id, step_id)
    return new_id


def _expect(workflow_id: str, asked: Program[WorkflowStatus | None]) -> Program[WorkflowStatus]:
    status = yield from asked
    if status is None:
        raise DBOSNonExistentWorkflowError("target", workflow_id)
    return status


def _refuse_on_its_loop(workflow_id: str) -> None:
    loop = _get_running_loop()
    if loop is None:
        return
    execution = engine().executions.find(workflow_id)
    if execution is not None and execution.loop is loop:
        raise RuntimeError(
            f"get_result() would block the event loop that runs workflow {workflow_id}. "
            "Use await DBOS.get_result_async(...) instead."
        )


class _Handle:
    """What handles for threads and for coroutines have in common."""

    shard_key: str | None = None  # only sharded databases have keys
    # Whether a missing row is an error; it is not for an id that may be used later.
    must_exist: bool = True
    # A BegunId, if the handle is that of an execution of this process; not pickled.
    _awaited_id: str | None = None
    # The client that made the handle. It is not pickled: an unpickled handle uses the engine.
    _client_context: ClientContext | None = None

    def __init__(self, workflow_id: str) -> None:
        self.workflow_id = str(workflow_id)
        self._awaited_id = workflow_id
        if isinstance(workflow_id, UnseenId):
            self.must_exist = False
        self._client_context = CLIENT_CONTEXT.get()

    def __getstate__(self) -> dict[str, Any]:
        kept = {"workflow_id": self.workflow_id}
        return kept if self.must_exist else {**kept, "must_exist": False}

    def get_workflow_id(self) -> str:
        return self.workflow_id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.workflow_id!r})"


class WorkflowHandle(_Handle, Generic[R]):
    """A workflow in any status, executed by any process."""

    def get_result(self, *, polling_interval_sec: float = 1.0) -> R:
        """Wait for the result; raises what the workflow raised.

        Raises DBOSNonExistentWorkflowError if the workflow was or is deleted.
        `polling_interval_sec` has no effect: one poll serves all waiters of the process.
        Raises RuntimeError on the event loop that runs the workflow, which would never end.
        """
        with using_client(self._client_context):
            _refuse_on_its_loop(self.workflow_id)
            result: R = run(
                result_of(self._awaited_id or self.workflow_id, must_exist=self.must_exist)
            )
        return result

    def get_status(self) -> WorkflowStatus:
        """The current status. Raises DBOSNonExistentWorkflowError for an unknown id."""
        if self._client_context is None:
            refuse_in_loop("get_status")
        with using_client(self._client_context):
            return run(status_of(self.workflow_id))


class WorkflowHandleAsync(_Handle, Generic[R]):
    """A ``WorkflowHandle`` for coroutines."""

    async def get_result(self, *, polling_interval_sec: float = 1.0) -> R:
        """Await the result; raises what the workflow raised.

        Raises DBOSNonExistentWorkflowError if the workflow was or is deleted.
        `polling_interval_sec` has no effect: one poll serves all waiters of the process.
        """
        with using_client(self._client_context):
            return await run_async(
                result_of_awaited(self._awaited_id or self.workflow_id, must_exist=self.must_exist)
            )

    async def get_status(self) -> WorkflowStatus:
        """The current status. Raises DBOSNonExistentWorkflowError for an unknown id."""
        with using_client(self._client_context):
            return await run_async(drawn_late(lambda: status_of(self.workflow_id)))
