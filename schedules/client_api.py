"""This app's share of ``DBOSClient``: schedules by the names of their workflows."""

from __future__ import annotations

from typing import Any

from schedules.api import SchedulesAPI
from schedules.engine import declaring
from schedules.engine.records import ClientScheduleInput
from workflows.engine.programs import Program
from workflows.engine.twins import durable, offer, with_twins

OFFERED = (
    *("list_schedules", "get_schedule", "pause_schedule", "resume_schedule", "delete_schedule"),
    *("backfill_schedule", "trigger_schedule"),
)


@with_twins
class _Calls:
    """What a client's methods do where they differ from those of ``DBOS``."""

    @durable
    def create_schedule(
        *,
        schedule_name: str,
        workflow_name: str,
        schedule: str,
        context: Any = None,
        workflow_class_name: str | None = None,
        automatic_backfill: bool = False,
        cron_timezone: str | None = None,
        queue_name: str | None = None,
        application_name: str | None = None,
    ) -> Program[None]:
        """Create an active schedule of a workflow that need not exist here.

        Raises DBOSException for an invalid cron expression or time zone, a queue that is not
        registered, and a name that is taken.
        """
        return declaring.create(
            {
                "schedule_name": schedule_name,
                "workflow_name": workflow_name,
                "schedule": schedule,
                "context": context,
                "workflow_class_name": workflow_class_name,
                "automatic_backfill": automatic_backfill,
                "cron_timezone": cron_timezone,
                "queue_name": queue_name,
                "application_name": application_name,
            }
        )

    @durable
    def apply_schedules(schedules: list[ClientScheduleInput]) -> Program[None]:
        """Create or change schedules by name, all or none; those not listed stay as they are."""
        return declaring.apply(schedules)


class SchedulesClient:
    """Schedules, from outside."""


offer(SchedulesClient, _Calls, "create_schedule", "apply_schedules")
offer(SchedulesClient, SchedulesAPI, *OFFERED)
