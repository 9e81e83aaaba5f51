"""Bulk jobs: one action on a fixed set of workflows, with progress and results."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from dboshub.workflows.clock import now_ms


class BulkJob(models.Model):
    """A verb and a set of workflows that is fixed before it is confirmed.

    The holder of the lease processes it. `next_at` (epoch ms) keeps the rate, also when the holder
    changes.
    """

    class State(models.TextChoices):
        COLLECTING = "collecting"
        FROZEN = "frozen"
        RUNNING = "running"
        STOPPED = "stopped"
        DONE = "done"

    verb = models.CharField(max_length=20)
    state = models.CharField(max_length=10, choices=State.choices, default=State.COLLECTING)
    created_at = models.BigIntegerField(default=now_ms)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    # A copy, because the account may be deleted.
    username = models.CharField(max_length=150)
    address = models.CharField(max_length=45, blank=True)
    reason = models.TextField(blank=True)
    # The query string of the list; empty if single rows were selected.
    filter = models.TextField(blank=True)
    options = models.JSONField(default=dict, blank=True)
    rate = models.FloatField(null=True)
    # The job that this one undoes.
    undoes = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="undone_by"
    )
    # Why it stopped by itself.
    note = models.TextField(blank=True)

    # The position of the collection, and the numbers that it left out by reason.
    cursor = models.JSONField(null=True)
    is_capped = models.BooleanField(default=False)
    left_out = models.JSONField(default=dict, blank=True)
    # The numbers of what it would do, where that differs among the items.
    plan = models.JSONField(default=dict, null=True, blank=True)

    total = models.IntegerField(default=0)
    done = models.IntegerField(default=0)
    skipped = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    started_at = models.BigIntegerField(null=True)
    ended_at = models.BigIntegerField(null=True)
    next_at = models.BigIntegerField(default=0)
    lease_owner = models.CharField(max_length=64, blank=True)
    lease_until = models.BigIntegerField(default=0)

    class Meta:
        app_label = "dboshub_workflows"
        db_table = "dboshub_bulk"
        default_permissions = ()
        indexes = [
            models.Index(fields=["state", "next_at"], name="bulk_due"),
            models.Index(fields=["-created_at", "-id"], name="bulk_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.total} ({self.state})"

    def recount(self) -> None:
        """Count the results of its items."""
        counts = dict(self.items.values_list("state").annotate(count=models.Count("pk")))
        self.done = counts.get(BulkItem.State.DONE, 0)
        self.skipped = counts.get(BulkItem.State.SKIPPED, 0)
        self.failed = counts.get(BulkItem.State.FAILED, 0)


class BulkItem(models.Model):
    """One workflow of the set, its status when the set was fixed (`was`), and its result."""

    class State(models.TextChoices):
        WAITING = "waiting"
        STARTED = "started"
        DONE = "done"
        SKIPPED = "skipped"
        FAILED = "failed"

    job = models.ForeignKey(BulkJob, models.CASCADE, related_name="items", db_index=False)
    workflow_id = models.TextField()
    name = models.TextField(null=True)
    application_name = models.TextField(null=True)
    was = models.CharField(max_length=40)
    # What the action would do, if that differs among the items.
    plan = models.TextField(null=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    note = models.TextField(blank=True)
    # The id of the workflow that the action creates, if it creates one.
    made = models.TextField(blank=True)
    at = models.BigIntegerField(null=True)

    class Meta:
        app_label = "dboshub_workflows"
        db_table = "dboshub_bulk_item"
        default_permissions = ()
        indexes = [models.Index(fields=["job", "state", "id"], name="bulk_item_of_job")]
        constraints = [
            models.UniqueConstraint(fields=["job", "workflow_id"], name="bulk_item_once")
        ]

    def __str__(self) -> str:
        return f"{self.workflow_id} ({self.state})"
