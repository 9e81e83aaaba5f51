"""What the endpoints do, with the engine that is launched in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Protocol

from dboshub.queues.engine.queue_registry import queue_registry
from dboshub.workflows.api.management import ManagementAPI as Workflows
from dboshub.workflows.engine.errors import DBOSException, DBOSNonExistentWorkflowError
from dboshub.workflows.engine.options import SetWorkflowID
from dboshub.workflows.engine.records import ACTIVE, TERMINAL
from dboshub.workflows.engine.runtime.engine import Engine, ExecutorSettings
from dboshub.workflows.engine.status import StepInfo, WorkflowStatus
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.membership import recover

BATCH = 1_000
MOST_LISTED = 1_000
LONGEST_PAYLOAD = 64_000

# Names that filters have on the wire, where they differ.
_FILTERS = {
    "workflow_uuids": "workflow_ids",
    "workflow_name": "name",
    "authenticated_user": "user",
    "application_version": "app_version",
}
_NUMBERS = ("limit", "offset")
_NO_VALUES = {"load_input": False, "load_output": False}


class AdministeredRuntime(Protocol):
    """What the admin server needs of a launched engine."""

    settings: ExecutorSettings
    engine: Engine
    database: Database

    def deactivate(self) -> None: ...
    def wake_queues(self) -> None: ...


class RuntimeHost:
    """Serves one launched engine: workflows of its application and those of none.

    Others do not exist here, so that the token of one application reaches no other, and no value
    of another is unpickled in this process. Values leave it only if `shows_payloads`.
    """

    def __init__(self, runtime: AdministeredRuntime, *, shows_payloads: bool) -> None:
        self._runtime = runtime
        self._shows = shows_payloads

    @property
    def executor_id(self) -> str:
        return self._runtime.settings.executor_id

    def recover(self, executor_ids: list[str]) -> list[str]:
        settings, clock = self._runtime.settings, self._runtime.engine.clock
        recovered: list[str] = []
        with self._runtime.database.writing() as session:
            for executor_id in dict.fromkeys(executor_ids):
                while owned := recover.adoptable(
                    session, executor_id, application=settings.application_name
                ):
                    if not recover.reenqueue(session, owned, now=clock.now_ms()):
                        break
                    recovered += [workflow_id for workflow_id, _ in owned]
        if recovered:
            self._runtime.wake_queues()
        return recovered

    def deactivate(self) -> None:
        self._runtime.deactivate()

    def queues(self) -> list[dict[str, Any]]:
        return [
            {
                "name": each.name,
                "concurrency": each.concurrency,
                "workerConcurrency": each.worker_concurrency,
                "rateLimit": None if each.limiter is None else each.limiter.public(),
            }
            for each in queue_registry.table.list_queues(None)
        ]

    def collect_garbage(self, cutoff_ms: int | None, rows: int | None) -> None:
        """Delete what has ended and is older than the cutoff, or than the newest `rows`."""
        cutoffs = [] if cutoff_ms is None else [cutoff_ms]
        if rows is not None:
            kept = _listed(sort_desc=True, offset=rows - 1, limit=1)
            cutoffs += [each.created_at for each in kept if each.created_at is not None]
        if cutoffs:
            for ids in _before(max(cutoffs), [*TERMINAL]):
                Workflows.delete_workflows(ids)

    def time_out(self, cutoff_ms: int) -> None:
        for ids in _before(cutoff_ms, [*ACTIVE]):
            Workflows.cancel_workflows(ids)

    def workflow(self, workflow_id: str) -> dict[str, Any] | None:
        found = self._list({"workflow_ids": [workflow_id], "load_input": True, "load_output": True})
        return found[0] if found else None

    def steps(self, workflow_id: str) -> list[dict[str, Any]]:
        self._require_own(workflow_id)
        found = Workflows.list_workflow_steps(workflow_id, load_output=self._shows)
        return [self._step(each) for each in found]

    def workflows(self, filters: dict[str, Any], *, queued: bool) -> list[dict[str, Any]]:
        for key in _NUMBERS:
            if key in filters and type(filters[key]) is not int:
                raise DBOSException(f"{key} must be a whole number")
        given = {_FILTERS.get(key, key): value for key, value in filters.items()}
        given["limit"] = min(given.get("limit", MOST_LISTED), MOST_LISTED)
        return self._list({"load_input": False, "load_output": False, **given}, queued=queued)

    def cancel(self, workflow_id: str) -> None:
        self._require_own(workflow_id)
        Workflows.cancel_workflow(workflow_id)

    def resume(self, workflow_id: str) -> None:
        self._require_own(workflow_id)
        Workflows.resume_workflow(workflow_id)

    def fork(self, workflow_id: str, step: int, *, new_id: str | None, version: str | None) -> str:
        self._require_own(workflow_id)
        if new_id is None:
            handle = Workflows.fork_workflow(workflow_id, step, application_version=version)
        else:
            with SetWorkflowID(new_id):
                handle = Workflows.fork_workflow(workflow_id, step, application_version=version)
        return str(handle.workflow_id)

    def _list(self, filters: dict[str, Any], *, queued: bool = False) -> list[dict[str, Any]]:
        call = Workflows.list_queued_workflows if queued else Workflows.list_workflows
        found = call(**{**filters, **_NO_VALUES})
        own = [each for each in found if self._is_own(each)]
        wanted = {name: filters.get(name, False) for name in _NO_VALUES}
        if own and self._shows and any(wanted.values()):
            ids = [each.workflow_id for each in own]
            whole = {
                each.workflow_id: each
                for each in Workflows.list_workflows(workflow_ids=ids, **wanted)
                if self._is_own(each)
            }
            own = [whole[each] for each in ids if each in whole]
        return [self._told(each) for each in own]

    def _require_own(self, workflow_id: str) -> None:
        if not any(map(self._is_own, _listed(workflow_ids=[workflow_id]))):
            raise DBOSNonExistentWorkflowError("target", workflow_id)

    def _is_own(self, status: WorkflowStatus) -> bool:
        return status.application_name in (None, self._runtime.settings.application_name)

    def _told(self, status: WorkflowStatus) -> dict[str, Any]:
        """A workflow as 2.x tells of it: texts, or null."""
        plain = {wire: _text(getattr(status, name)) for wire, name in _FIELDS.items()}
        return {
            **plain,
            "AuthenticatedRoles": _json(status.authenticated_roles),
            "Attributes": _json(status.attributes),
            "Input": self._payload(status.input),
            "Output": self._payload(status.output),
            "Error": self._payload(status.error),
            "WasForkedFrom": status.was_forked_from,
        }

    def _step(self, step: StepInfo) -> dict[str, Any]:
        return {
            "function_id": step["function_id"],
            "function_name": step["function_name"],
            "output": self._payload(step["output"]),
            "error": self._payload(step["error"]),
            "child_workflow_id": step["child_workflow_id"],
            "started_at_epoch_ms": _text(step["started_at_epoch_ms"]),
            "completed_at_epoch_ms": _text(step["completed_at_epoch_ms"]),
        }

    def _payload(self, value: Any) -> str | None:
        return None if value is None or not self._shows else str(value)[:LONGEST_PAYLOAD]


_FIELDS = {
    "WorkflowUUID": "workflow_id",
    "Status": "status",
    "WorkflowName": "name",
    "WorkflowClassName": "class_name",
    "WorkflowConfigName": "config_name",
    "AuthenticatedUser": "authenticated_user",
    "AssumedRole": "assumed_role",
    "CreatedAt": "created_at",
    "UpdatedAt": "updated_at",
    "QueueName": "queue_name",
    "ApplicationVersion": "app_version",
    "ExecutorID": "executor_id",
    "WorkflowTimeoutMS": "workflow_timeout_ms",
    "WorkflowDeadlineEpochMS": "workflow_deadline_epoch_ms",
    "DeduplicationID": "deduplication_id",
    "Priority": "priority",
    "QueuePartitionKey": "queue_partition_key",
    "ForkedFrom": "forked_from",
    "ParentWorkflowID": "parent_workflow_id",
    "DequeuedAt": "dequeued_at",
    "DelayUntilEpochMS": "delay_until_epoch_ms",
    "CompletedAt": "completed_at",
    "ScheduleName": "schedule_name",
    "ApplicationName": "application_name",
}


def _listed(**filters: Any) -> list[WorkflowStatus]:
    found: list[WorkflowStatus] = Workflows.list_workflows(
        load_input=False, load_output=False, **filters
    )
    return found


def _before(cutoff_ms: int, statuses: list[str]) -> Iterator[list[str]]:
    """Ids of workflows made before a time, batch by batch: what is yielded must be gone after."""
    end = datetime.fromtimestamp((cutoff_ms - 1) / 1000, UTC).isoformat()
    done: set[str] = set()
    while found := _listed(status=statuses, end_time=end, limit=BATCH):
        ids = [each.workflow_id for each in found if each.workflow_id not in done]
        if not ids:
            return
        yield ids
        done.update(ids)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _json(value: Any) -> str | None:
    return None if not value else json.dumps(value)
