"""The part of the public class ``DBOS`` for schedules.

A method that returns a program has two forms: ``name`` blocks, ``name_async`` is awaited.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from dboshub.schedules.engine import operations
from dboshub.schedules.engine.records import ScheduleInput, WorkflowSchedule
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.sync_async import (
    async_form,
    async_handle_form,
    async_handles_form,
    sync_form,
    sync_handle_form,
    sync_handles_form,
)

Names = str | list[str] | None


class SchedulesAPI:
    """Cron schedules: exactly one run for each tick, whatever the number of processes."""

    scheduled = staticmethod(operations.scheduled)

    @sync_form
    def create_schedule(
        *,
        schedule_name: str,
        workflow_fn: Callable[..., Any],
        schedule: str,
        context: Any = None,
        automatic_backfill: bool = False,
        cron_timezone: str | None = None,
        queue_name: str | None = None,
    ) -> Program[None]:
        """Create an active schedule whose runs get the tick's time and the context.

        Raises DBOSException for an invalid cron expression or time zone, a function that is no
        workflow, a queue that is not registered, and a name that exists.
        """
        return operations.create(
            {
                "schedule_name": schedule_name,
                "workflow_fn": workflow_fn,
                "schedule": schedule,
                "context": context,
                "automatic_backfill": automatic_backfill,
                "cron_timezone": cron_timezone,
                "queue_name": queue_name,
            }
        )

    create_schedule_async = async_form(create_schedule)

    @sync_form
    def apply_schedules(schedules: list[ScheduleInput]) -> Program[None]:
        """Create or change schedules by name, all or none; those not listed stay as they are."""
        return operations.apply(schedules)

    apply_schedules_async = async_form(apply_schedules)

    @sync_form
    def list_schedules(
        *,
        status: Names = None,
        workflow_name: Names = None,
        schedule_name_prefix: Names = None,
        application_name: Names = None,
    ) -> Program[list[WorkflowSchedule]]:
        """Schedules of this application and those without an owner, by name."""
        return operations.find(
            statuses=status,
            workflow_names=workflow_name,
            prefixes=schedule_name_prefix,
            applications=application_name,
        )

    list_schedules_async = async_form(list_schedules)

    @sync_form
    def get_schedule(name: str) -> Program[WorkflowSchedule | None]:
        """A schedule by name, or None."""
        return operations.get(name)

    get_schedule_async = async_form(get_schedule)

    @sync_form
    def pause_schedule(name: str) -> Program[None]:
        """Pause a schedule: no tick starts a run. An unknown name is ignored."""
        return operations.pause(name)

    pause_schedule_async = async_form(pause_schedule)

    @sync_form
    def resume_schedule(name: str) -> Program[None]:
        """Resume a schedule; with automatic backfill its missed ticks run first."""
        return operations.resume(name)

    resume_schedule_async = async_form(resume_schedule)

    @sync_form
    def delete_schedule(name: str) -> Program[None]:
        """Delete a schedule. Its runs are kept."""
        return operations.delete(name)

    delete_schedule_async = async_form(delete_schedule)

    @sync_handles_form
    def backfill_schedule(schedule_name: str, start: datetime, end: datetime) -> Program[list[str]]:
        """Start a run for every tick strictly between two times; naive ones are UTC."""
        return operations.backfill(schedule_name, start, end)

    backfill_schedule_async = async_handles_form(backfill_schedule)

    @sync_handle_form
    def trigger_schedule(schedule_name: str) -> Program[str]:
        """Start a run now, also of a paused schedule."""
        return operations.trigger(schedule_name)

    trigger_schedule_async = async_handle_form(trigger_schedule)
