"""What the system tables of this app look like: they were made with all the others."""

from __future__ import annotations

from django.db import migrations, models

from dboshub.workflows.system_tables import system_table


class Migration(migrations.Migration):
    initial = True

    dependencies = [("dboshub_workflows", "0001_initial")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="Schedule",
                    fields=[
                        ("schedule_id", models.TextField(primary_key=True, serialize=False)),
                        ("schedule_name", models.TextField(unique=True)),
                        ("workflow_name", models.TextField()),
                        ("workflow_class_name", models.TextField(null=True)),
                        ("schedule", models.TextField(verbose_name="cron expression")),
                        ("status", models.TextField(default="ACTIVE")),
                        ("context", models.TextField()),
                        ("last_fired_at", models.TextField(null=True)),
                        ("automatic_backfill", models.BooleanField(default=False)),
                        ("cron_timezone", models.TextField(null=True)),
                        ("queue_name", models.TextField(null=True)),
                        ("application_name", models.TextField(null=True)),
                    ],
                    options={
                        "db_table": system_table("workflow_schedules"),
                        "default_permissions": ("view", "change"),
                    },
                ),
            ],
        ),
    ]
