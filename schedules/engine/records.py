"""A schedule as its row, and as the public API returns it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Required, TypedDict

from dboshub.schedules.engine.cron import Cron

ACTIVE, PAUSED = "ACTIVE", "PAUSED"
Status = Literal["ACTIVE", "PAUSED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One row of ``workflow_schedules``; field names are its columns."""

    schedule_id: str
    schedule_name: str
    workflow_name: str
    schedule: str
    context: str
    workflow_class_name: str | None = None
    status: str = ACTIVE
    last_fired_at: str | None = None
    automatic_backfill: bool = False
    cron_timezone: str | None = None
    queue_name: str | None = None
    application_name: str | None = None

    @property
    def cron(self) -> Cron:
        return Cron(self.schedule, self.cron_timezone)

    @property
    def definition(self) -> tuple[object, ...]:
        """The values whose change makes the ticker start again with the next tick."""
        return (
            self.schedule,
            self.cron_timezone,
            self.workflow_name,
            self.workflow_class_name,
            self.context,
            self.queue_name,
        )


class WorkflowSchedule(TypedDict):
    """A schedule in the public API; ``last_fired_at`` is ISO 8601 text."""

    schedule_id: str
    schedule_name: str
    workflow_name: str
    workflow_class_name: str | None
    schedule: str
    status: str
    context: Any
    last_fired_at: str | None
    automatic_backfill: bool
    cron_timezone: str | None
    queue_name: str | None
    application_name: str | None
    shard_key: str | None


class ScheduleInput(TypedDict, total=False):
    """One entry for ``apply_schedules``."""

    schedule_name: Required[str]
    workflow_fn: Required[Callable[..., Any]]
    schedule: Required[str]
    context: Any
    automatic_backfill: bool
    cron_timezone: str | None
    queue_name: str | None


class ClientScheduleInput(TypedDict, total=False):
    """The same for a client, which names the workflow and its application."""

    schedule_name: Required[str]
    workflow_name: Required[str]
    schedule: Required[str]
    workflow_class_name: str | None
    context: Any
    automatic_backfill: bool
    cron_timezone: str | None
    queue_name: str | None
    application_name: str | None
