"""A workflow row without payloads and attributes, as lists show it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from dboshub.workflows.selectors.scope import EVERYTHING, Viewer
from dboshub.workflows.statuses import FAILED, IN_FLIGHT
from dboshub.workflows.storage.sql import Session, Statement


@dataclass(frozen=True, slots=True)
class WorkflowRow:
    """The columns of `workflow_status` that are no payload. Times are epoch ms."""

    workflow_uuid: str
    status: str
    name: str | None
    class_name: str | None
    config_name: str | None
    queue_name: str | None
    queue_partition_key: str | None
    priority: int
    deduplication_id: str | None
    created_at: int
    updated_at: int
    started_at_epoch_ms: int | None
    completed_at: int | None
    delay_until_epoch_ms: int | None
    workflow_timeout_ms: int | None
    workflow_deadline_epoch_ms: int | None
    application_name: str | None
    application_version: str | None
    executor_id: str | None
    authenticated_user: str | None
    recovery_attempts: int | None
    parent_workflow_id: str | None
    forked_from: str | None
    was_forked_from: bool
    schedule_name: str | None
    serialization: str | None

    @property
    def pk(self) -> str:
        return self.workflow_uuid

    @property
    def is_final(self) -> bool:
        return self.status not in IN_FLIGHT

    @property
    def is_failed(self) -> bool:
        return self.status in FAILED

    @property
    def began_at(self) -> int | None:
        """When its run began: the time it was dequeued, or its creation if it had no queue."""
        if self.started_at_epoch_ms is not None:
            return self.started_at_epoch_ms
        return self.created_at if self.queue_name is None and not self.is_waiting else None

    @property
    def is_suspended(self) -> bool:
        """Whether it has begun, and left memory while it waits."""
        return self.status == "DELAYED" and self.started_at_epoch_ms is not None

    @property
    def enqueued_at(self) -> int:
        """Since when an enqueued workflow waits: its creation, or the end of its delay."""
        return max(self.created_at, self.delay_until_epoch_ms or 0)

    @property
    def is_waiting(self) -> bool:
        return self.status in ("ENQUEUED", "DELAYED")

    @property
    def duration_ms(self) -> int | None:
        """The duration of an ended run; None if it has not ended or never ran."""
        if self.completed_at is None or self.began_at is None:
            return None
        return max(0, self.completed_at - self.began_at)


NAMES = tuple(field.name for field in fields(WorkflowRow))
COLUMNS = ", ".join(NAMES)
# A row as a tuple of its columns; dataclasses.astuple would copy each value deeply.
row_tuple = attrgetter(*NAMES)


def from_record(record: Sequence[Any]) -> WorkflowRow:
    """A row from the values of COLUMNS. SQLite takes NULL for an id: that row's id is empty."""
    return WorkflowRow(record[0] or "", *record[1 : len(NAMES)])


BY_IDS = Statement(f"SELECT {COLUMNS} FROM {{workflow_status}} WHERE workflow_uuid = ANY(:ids)")


def rows_by_id(
    session: Session, ids: Iterable[str], *, viewer: Viewer = EVERYTHING
) -> dict[str, WorkflowRow]:
    """The existing rows that the viewer may see, by id."""
    found = (from_record(record) for record in session.all(BY_IDS, ids=session.ids(ids)))
    return {row.workflow_uuid: row for row in found if viewer.may_see(row.application_name)}


def row(session: Session, workflow_id: str, *, viewer: Viewer = EVERYTHING) -> WorkflowRow | None:
    """One workflow, or None if it does not exist or the viewer may not see it."""
    return rows_by_id(session, [workflow_id], viewer=viewer).get(workflow_id)
