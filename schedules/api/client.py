"""The part of ``DBOSClient`` for schedules."""

from __future__ import annotations

from typing import Any

from dboshub.schedules.api.facade import SchedulesAPI
from dboshub.schedules.engine import operations
from dboshub.schedules.engine.records import ClientScheduleInput
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.sync_async import async_form, client_method, sync_form


class _Calls:
    """The methods of a client that differ from those of ``DBOS``."""

    @sync_form
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
        """Create an active schedule of a workflow, which need not be registered here.

        Raises DBOSException for an invalid cron expression or time zone, a queue that is not
        registered, and a name that exists.
        """
        return operations.create(
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

    create_schedule_async = async_form(create_schedule)

    @sync_form
    def apply_schedules(schedules: list[ClientScheduleInput]) -> Program[None]:
        """Create or change schedules by name, all or none; those not listed stay as they are."""
        return operations.apply(schedules)

    apply_schedules_async = async_form(apply_schedules)


class SchedulesClient:
    """The methods of ``DBOSClient`` for schedules."""

    create_schedule = client_method(_Calls.create_schedule)
    create_schedule_async = client_method(_Calls.create_schedule_async)
    apply_schedules = client_method(_Calls.apply_schedules)
    apply_schedules_async = client_method(_Calls.apply_schedules_async)

    list_schedules = client_method(SchedulesAPI.list_schedules)
    list_schedules_async = client_method(SchedulesAPI.list_schedules_async)
    get_schedule = client_method(SchedulesAPI.get_schedule)
    get_schedule_async = client_method(SchedulesAPI.get_schedule_async)
    pause_schedule = client_method(SchedulesAPI.pause_schedule)
    pause_schedule_async = client_method(SchedulesAPI.pause_schedule_async)
    resume_schedule = client_method(SchedulesAPI.resume_schedule)
    resume_schedule_async = client_method(SchedulesAPI.resume_schedule_async)
    delete_schedule = client_method(SchedulesAPI.delete_schedule)
    delete_schedule_async = client_method(SchedulesAPI.delete_schedule_async)
    backfill_schedule = client_method(SchedulesAPI.backfill_schedule)
    backfill_schedule_async = client_method(SchedulesAPI.backfill_schedule_async)
    trigger_schedule = client_method(SchedulesAPI.trigger_schedule)
    trigger_schedule_async = client_method(SchedulesAPI.trigger_schedule_async)
