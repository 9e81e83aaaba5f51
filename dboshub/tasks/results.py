"""The result of a task as its workflow's row tells it. Only JSON is read, never a pickle."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from dboshub.tasks.compat import Task, TaskError, TaskResult, TaskResultStatus
from dboshub.workflows.engine.records import Status
from dboshub.workflows.engine.serialization import PORTABLE

STATUSES = {
    Status.ENQUEUED: TaskResultStatus.READY,
    Status.DELAYED: TaskResultStatus.READY,
    Status.PENDING: TaskResultStatus.RUNNING,
    Status.SUCCESS: TaskResultStatus.SUCCESSFUL,
    Status.ERROR: TaskResultStatus.FAILED,
    Status.CANCELLED: TaskResultStatus.FAILED,
    Status.MAX_RECOVERY_ATTEMPTS_EXCEEDED: TaskResultStatus.FAILED,
}
# What a workflow that was ended from outside failed of.
_ENDED = {
    Status.CANCELLED: "dboshub.error.DBOSAwaitedWorkflowCancelledError",
    Status.MAX_RECOVERY_ATTEMPTS_EXCEEDED: (
        "dboshub.error.DBOSAwaitedWorkflowMaxRecoveryAttemptsExceeded"
    ),
}
# A task's is higher the sooner it runs, a workflow's lower; zero would be before all of them.
PRIORITY_OFFSET = 101


def workflow_priority(priority: int) -> int:
    return PRIORITY_OFFSET - priority


def task_priority(priority: int | None) -> int:
    """Within Django's limits, whatever an operator made of it."""
    return max(-100, min(100, PRIORITY_OFFSET - (priority or PRIORITY_OFFSET)))


def new_result(task: Task[Any, Any], workflow_id: str, backend: str, **known: Any) -> Any:
    """The result of a task that nothing is known of yet but what is given."""
    unknown: dict[str, Any] = {
        "status": TaskResultStatus.READY,
        "enqueued_at": None,
        "started_at": None,
        "finished_at": None,
        "last_attempted_at": None,
        "errors": [],
        "worker_ids": [],
    }
    return TaskResult(task=task, id=workflow_id, backend=backend, **unknown | known)


def result_of(row: dict[str, Any], task: Task[Any, Any], backend: str) -> Any:
    """The result that a row tells of a task."""
    status = Status(row["status"])
    portable = row["serialization"] == PORTABLE
    given = _decoded(row["input"] if portable else None) or {}
    started = _moment(row["dequeued_at"])
    result = new_result(
        task.using(priority=task_priority(row["priority"])),
        row["workflow_id"],
        backend,
        status=STATUSES[status],
        enqueued_at=_moment(row["created_at"]),
        started_at=started,
        finished_at=_moment(row["completed_at"]),
        last_attempted_at=started,
        args=given.get("positionalArgs") or [],
        kwargs=given.get("namedArgs") or {},
        errors=_errors(status, _decoded(row["error"] if portable else None)),
        worker_ids=[row["executor_id"] or ""] * (row["recovery_attempts"] or 0),
    )
    if status is Status.SUCCESS and portable:
        change(result, _return_value=_decoded(row["output"]))
    return result


def change(result: Any, **fields: Any) -> None:
    """Results are frozen, and Django's own backends change them all the same."""
    for name, value in fields.items():
        object.__setattr__(result, name, value)


def _errors(status: Status, error: Any) -> list[TaskError]:
    if status in _ENDED:
        return [TaskError(exception_class_path=_ENDED[status], traceback="")]
    if status is not Status.ERROR:
        return []
    data = error.get("data") if isinstance(error, dict) else None
    told = data if isinstance(data, dict) else {}
    return [
        TaskError(
            exception_class_path=str(told.get("exception_class_path", "builtins.Exception")),
            traceback=str(told.get("traceback", "")),
        )
    ]


def _decoded(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
