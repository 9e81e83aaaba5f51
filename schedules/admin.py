"""Schedules in the admin, read-only and without their context."""

from __future__ import annotations

from django.contrib import admin

from dboshub.schedules.models import Schedule
from dboshub.workflows.admin_base import ReadOnlyAdmin


@admin.register(Schedule)
class ScheduleAdmin(ReadOnlyAdmin):
    permission = "dboshub_schedules.view_schedule"
    payloads = ("context",)
    list_display = (
        "schedule_name",
        "workflow_name",
        "schedule",
        "cron_timezone",
        "status",
        "last_fired_at",
        "queue_name",
        "application_name",
    )
    search_fields = ("schedule_name__exact",)
    search_help_text = "A whole schedule name"
    ordering = ("schedule_name",)
