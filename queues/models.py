"""Models of queues and their pauses; every worker reads them at each poll."""

from __future__ import annotations

import uuid

from django.db import models

from dboshub.workflows.clock import now_ms
from dboshub.workflows.models.stored_row import StoredRow
from dboshub.workflows.system_tables import system_table


def new_queue_id() -> str:
    return str(uuid.uuid4())


class Queue(StoredRow):
    """A named queue and its limits; NULL means unlimited.

    Only `dboshub.queues.actions` saves it.
    """

    queue_id = models.TextField(primary_key=True, default=new_queue_id, editable=False)
    name = models.TextField(unique=True)
    concurrency = models.IntegerField("global concurrency", null=True, blank=True)
    worker_concurrency = models.IntegerField(null=True, blank=True)
    rate_limit_max = models.IntegerField("starts per period", null=True, blank=True)
    rate_limit_period_sec = models.FloatField("period in seconds", null=True, blank=True)
    priority_enabled = models.BooleanField(default=True)
    partition_queue = models.BooleanField(default=False)
    polling_interval_sec = models.FloatField("polling interval in seconds", default=1.0)
    created_at = models.BigIntegerField(default=now_ms)
    updated_at = models.BigIntegerField(default=now_ms)
    application_name = models.TextField("application", null=True, blank=True)
    partition_concurrency = models.IntegerField(null=True, blank=True)
    partition_worker_concurrency = models.IntegerField(null=True, blank=True)
    partition_rate_limit_max = models.IntegerField(
        "partition starts per period", null=True, blank=True
    )
    partition_rate_limit_period_sec = models.FloatField(
        "partition period in seconds", null=True, blank=True
    )

    class Meta:
        app_label = "dboshub_queues"
        db_table = system_table("queues")

    def __str__(self) -> str:
        return self.name


class QueuePause(StoredRow):
    """A paused queue: workers of the hub claim nothing from it while the row exists."""

    queue_name = models.TextField(primary_key=True)
    paused_at = models.BigIntegerField(default=now_ms)
    paused_by = models.TextField(null=True)
    reason = models.TextField(null=True)

    class Meta:
        app_label = "dboshub_queues"
        db_table = system_table("dboshub_queue_pause")
        default_permissions = ()

    def __str__(self) -> str:
        return f"pause of {self.queue_name}"
