"""Rollups: counts by minute and hour, and queue samples. Times are epoch milliseconds."""

from __future__ import annotations

from django.db import models

from dboshub.workflows.clock import now_ms

MINUTE, HOUR = 60_000, 3_600_000
# A longer name does not fit into an index of PostgreSQL.
MAX_NAME_LENGTH = 500
MAX_COUNT = 2**31 - 1


class Lease(models.Model):
    """A lease on work that only one process may do at a time."""

    name = models.CharField(max_length=40, primary_key=True)
    owner = models.CharField(max_length=64, blank=True)
    until = models.BigIntegerField(default=0)

    class Meta:
        app_label = "dboshub_workflows"
        db_table = "dboshub_lease"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.owner}"


class RolledSpan(models.Model):
    """Marks a minute or an hour as counted: without this row it is a gap, not zero.

    `covered` is the number of counted minutes; `digest` is the fingerprint of the span.
    """

    width = models.IntegerField()
    at = models.BigIntegerField()
    closed_at = models.BigIntegerField(default=now_ms)
    covered = models.SmallIntegerField(default=1)
    digest = models.CharField(max_length=32, blank=True)

    class Meta:
        app_label = "dboshub_workflows"
        db_table = "dboshub_rolled_span"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["width", "at"], name="rolled_span_once")]

    def __str__(self) -> str:
        return f"{self.at} + {self.width} ms"


class Rollup(models.Model):
    """Counts of one span, for all of an application, for a name, for the rest of the names, or for
    a queue.

    `created` counts by creation time, everything else by end time. `run` and `wait` are histograms
    (`rollups.histogram`). An empty text means "none". Rows of earlier releases count a name on one
    queue; in a span that has them, no row counts a queue.
    """

    class Scope(models.TextChoices):
        ALL = "all"
        ONE = "one"
        REST = "rest"
        QUEUE = "queue"

    width = models.IntegerField()
    at = models.BigIntegerField()
    scope = models.CharField(max_length=5, choices=Scope.choices)
    application = models.TextField(blank=True)
    name = models.TextField(blank=True)
    queue = models.TextField(blank=True)
    created = models.IntegerField(default=0)
    succeeded = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    cancelled = models.IntegerField(default=0)
    gave_up = models.IntegerField(default=0)
    run = models.JSONField(default=dict)
    wait = models.JSONField(default=dict)

    class Meta:
        app_label = "dboshub_workflows"
        db_table = "dboshub_rollup"
        default_permissions = ()
        indexes = [
            models.Index(fields=["width", "scope", "at"], name="rollup_span"),
            models.Index(fields=["name", "width", "at"], name="rollup_name"),
            models.Index(fields=["queue", "width", "at"], name="rollup_queue"),
        ]

    def __str__(self) -> str:
        return f"{self.name or self.scope} at {self.at}"


class QueueSample(models.Model):
    """The depth of a queue at one time, which cannot be counted afterwards.

    An hour has the maxima of its minutes. `oldest_ms` is the age of the oldest workflow.
    """

    width = models.IntegerField()
    at = models.BigIntegerField()
    queue = models.TextField()
    waiting = models.IntegerField()
    running = models.IntegerField()
    is_at_least = models.BooleanField(default=False)
    oldest_ms = models.BigIntegerField(null=True)

    class Meta:
        app_label = "dboshub_workflows"
        db_table = "dboshub_queue_sample"
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["width", "at", "queue"], name="queue_sample_once")
        ]

    def __str__(self) -> str:
        return f"{self.queue} at {self.at}: {self.waiting}"
