"""The columns of workflows before actions of the hub changed them, and what a bulk job would do."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dboshub_workflows", "0006_rollups_of_queues"),
    ]

    operations = [
        migrations.AddField(
            model_name="bulkitem",
            name="plan",
            field=models.TextField(null=True),
        ),
        migrations.AddField(
            model_name="bulkjob",
            name="plan",
            field=models.JSONField(blank=True, default=dict, null=True),
        ),
        migrations.CreateModel(
            name="Change",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("workflow_id", models.TextField()),
                ("at", models.BigIntegerField()),
                ("was", models.JSONField()),
                ("queue", models.TextField(null=True)),
                (
                    "job",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="changes",
                        to="dboshub_workflows.bulkjob",
                    ),
                ),
            ],
            options={
                "db_table": "dboshub_change",
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["workflow_id", "at"], name="change_of_workflow"),
                    models.Index(fields=["at"], name="change_oldest"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("job", "workflow_id"), name="change_once_a_job")
                ],
            },
        ),
    ]
