"""Metadata of a workflow in display order, without payloads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.selectors.rows import WorkflowRow


@dataclass(frozen=True, slots=True)
class Fact:
    """`kind` says how the value is shown: time, duration, text or code."""

    label: str
    value: str | int
    kind: str = "text"
    url: str = ""


def facts(row: WorkflowRow, *, ran_before: bool = False) -> list[Fact]:
    """All recorded metadata; missing values are left out.

    `ran_before` means that its start is not the first one. When it was enqueued for this one is
    not recorded, so how long it waited is not known.
    """
    return [*_times(row, ran_before), *_place(row), *_origin(row)]


def _times(row: WorkflowRow, ran_before: bool) -> Iterator[Fact]:
    started, due = row.started_at_epoch_ms, row.delay_until_epoch_ms
    # A due time after the start is of a wait in which the workflow left memory.
    was_suspended = started is not None and due is not None and due > started
    has_missed_it = row.completed_at is not None and due is not None and due > row.completed_at
    yield Fact("Created", row.created_at, "time")
    if started is not None:
        enqueued = row.created_at if was_suspended else row.enqueued_at
        if not ran_before:
            yield Fact("Waited in queue", max(0, started - enqueued), "duration")
        yield Fact("Last started" if ran_before else "Started", started, "time")
    if row.completed_at is not None:
        yield Fact("Ended", row.completed_at, "time")
    if row.duration_ms is not None:
        label = "Ran for, since its last start" if ran_before else "Ran for"
        yield Fact(label, row.duration_ms, "duration")
    if due is not None:
        label = "Was due" if has_missed_it else "Delayed until"
        yield Fact("Enqueued again" if was_suspended else label, due, "time")
    if row.workflow_timeout_ms is not None:
        yield Fact("Timeout", row.workflow_timeout_ms, "duration")
    if row.workflow_deadline_epoch_ms is not None:
        yield Fact("Deadline", row.workflow_deadline_epoch_ms, "time")


def _place(row: WorkflowRow) -> Iterator[Fact]:
    if row.queue_name == INTERNAL_QUEUE:
        yield Fact("Queue", "internal (none was named)")
    elif row.queue_name:
        yield Fact("Queue", row.queue_name, url=_list(queue=row.queue_name))
    if row.priority:
        yield Fact("Priority", row.priority)
    if row.queue_partition_key:
        yield Fact("Partition", row.queue_partition_key, "code")
    if row.deduplication_id:
        yield Fact("Deduplication id", row.deduplication_id, "code")
    if row.executor_id:
        yield Fact("Executor", row.executor_id, "code", _list(executor=row.executor_id))
    if row.application_name:
        yield Fact("Application", row.application_name, url=_list(app=row.application_name))
    if row.application_version:
        url = _list(version=row.application_version)
        yield Fact("Version", row.application_version, "code", url)
    if (row.recovery_attempts or 0) > 1:
        yield Fact("Attempts", row.recovery_attempts or 0)


def _origin(row: WorkflowRow) -> Iterator[Fact]:
    if row.class_name:
        yield Fact("Class", row.class_name, "code")
    if row.config_name:
        yield Fact("Instance", row.config_name, "code")
    if row.schedule_name:
        yield Fact("Schedule", row.schedule_name, url=_list(schedule=row.schedule_name))
    if row.authenticated_user:
        yield Fact("User", row.authenticated_user, url=_list(user=row.authenticated_user))
    if row.serialization:
        yield Fact("Format", row.serialization, "code")


def _list(**query: str) -> str:
    return f"{reverse('dboshub:workflows:list')}?{urlencode(query)}"
