"""Executors and application versions."""

from __future__ import annotations

from django.db import models

from dboshub.workflows.clock import now_ms
from dboshub.workflows.models.stored_row import StoredRow
from dboshub.workflows.system_tables import system_table


class ApplicationVersion(StoredRow):
    """A launched application version. The newest timestamp marks the latest version."""

    version_id = models.TextField(primary_key=True)
    version_name = models.TextField(unique=True)
    version_timestamp = models.BigIntegerField(default=now_ms)
    created_at = models.BigIntegerField(default=now_ms)
    application_name = models.TextField(null=True)

    class Meta:
        app_label = "dboshub_workflows"
        db_table = system_table("application_versions")
        default_permissions = ()
        permissions = [("promote_version", "Can make a version the latest")]

    def __str__(self) -> str:
        return self.version_name


class Executor(StoredRow):
    """One incarnation of an executor process, with its heartbeat."""

    incarnation = models.TextField(primary_key=True)
    executor_id = models.TextField()
    application_name = models.TextField(null=True)
    application_version = models.TextField(null=True)
    hostname = models.TextField(null=True)
    pid = models.BigIntegerField(null=True)
    boot_id = models.TextField(null=True)
    pid_namespace = models.TextField(null=True)
    process_started = models.TextField(null=True)
    protocol = models.IntegerField(default=1)
    beat = models.BigIntegerField(default=0)
    lease_ms = models.BigIntegerField()
    registered_at = models.BigIntegerField(default=now_ms)
    last_beat_at = models.BigIntegerField(default=now_ms)
    stopped_at = models.BigIntegerField(null=True)
    declared_dead_at = models.BigIntegerField(null=True)
    declared_dead_by = models.TextField(null=True)
    queues = models.TextField(null=True)
    slots = models.IntegerField(null=True)
    busy = models.IntegerField(default=0)
    functions = models.TextField(null=True)
    activity = models.TextField(null=True)

    class Meta:
        app_label = "dboshub_workflows"
        db_table = system_table("dboshub_executor")
        default_permissions = ()
        permissions = [("adopt_executor", "Can adopt the work of an executor")]

    def __str__(self) -> str:
        return f"{self.executor_id} on {self.hostname or 'an unknown host'}"
