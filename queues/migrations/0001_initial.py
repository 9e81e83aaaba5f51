"""What the system tables of this app look like: they were made with all the others."""

from __future__ import annotations

from django.db import migrations, models

from dboshub.queues.models import new_queue_id
from dboshub.workflows.clock import now_ms
from dboshub.workflows.system_tables import system_table


class Migration(migrations.Migration):
    initial = True

    dependencies = [("dboshub_workflows", "0001_initial")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="Queue",
                    fields=[
                        (
                            "queue_id",
                            models.TextField(
                                default=new_queue_id,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("name", models.TextField(unique=True)),
                        (
                            "concurrency",
                            models.IntegerField(
                                blank=True, null=True, verbose_name="global concurrency"
                            ),
                        ),
                        ("worker_concurrency", models.IntegerField(blank=True, null=True)),
                        (
                            "rate_limit_max",
                            models.IntegerField(
                                blank=True, null=True, verbose_name="starts per period"
                            ),
                        ),
                        (
                            "rate_limit_period_sec",
                            models.FloatField(
                                blank=True, null=True, verbose_name="period in seconds"
                            ),
                        ),
                        ("priority_enabled", models.BooleanField(default=True)),
                        ("partition_queue", models.BooleanField(default=False)),
                        (
                            "polling_interval_sec",
                            models.FloatField(
                                default=1.0, verbose_name="polling interval in seconds"
                            ),
                        ),
                        ("created_at", models.BigIntegerField(default=now_ms)),
                        ("updated_at", models.BigIntegerField(default=now_ms)),
                        (
                            "application_name",
                            models.TextField(blank=True, null=True, verbose_name="application"),
                        ),
                        ("partition_concurrency", models.IntegerField(blank=True, null=True)),
                        (
                            "partition_worker_concurrency",
                            models.IntegerField(blank=True, null=True),
                        ),
                        (
                            "partition_rate_limit_max",
                            models.IntegerField(
                                blank=True, null=True, verbose_name="partition starts per period"
                            ),
                        ),
                        (
                            "partition_rate_limit_period_sec",
                            models.FloatField(
                                blank=True, null=True, verbose_name="partition period in seconds"
                            ),
                        ),
                    ],
                    options={
                        "db_table": system_table("queues"),
                    },
                ),
                migrations.CreateModel(
                    name="QueuePause",
                    fields=[
                        ("queue_name", models.TextField(primary_key=True, serialize=False)),
                        ("paused_at", models.BigIntegerField(default=now_ms)),
                        ("paused_by", models.TextField(null=True)),
                        ("reason", models.TextField(null=True)),
                    ],
                    options={
                        "db_table": system_table("dboshub_queue_pause"),
                        "default_permissions": (),
                    },
                ),
            ],
        ),
    ]
