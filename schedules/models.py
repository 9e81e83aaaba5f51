"""The model of schedules."""

from __future__ import annotations

from django.db import models

from dboshub.workflows.models.stored_row import StoredRow
from dboshub.workflows.system_tables import system_table


class Schedule(StoredRow):
    """A cron expression and the workflow that its ticks start."""

    schedule_id = models.TextField(primary_key=True)
    schedule_name = models.TextField(unique=True)
    workflow_name = models.TextField()
    workflow_class_name = models.TextField(null=True)
    schedule = models.TextField("cron expression")
    status = models.TextField(default="ACTIVE")
    context = models.TextField()
    last_fired_at = models.TextField(null=True)
    automatic_backfill = models.BooleanField(default=False)
    cron_timezone = models.TextField(null=True)
    queue_name = models.TextField(null=True)
    application_name = models.TextField(null=True)

    class Meta:
        app_label = "dboshub_schedules"
        db_table = system_table("workflow_schedules")
        default_permissions = ("view", "change")

    def __str__(self) -> str:
        return self.schedule_name
