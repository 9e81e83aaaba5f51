"""Bulk jobs and their items: ordinary tables of the hub, in the hub's own database."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from workflows.system_tables import now_ms


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0003_steer_executors"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="BulkJob",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("verb", models.CharField(max_length=20)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("collecting", "Collecting"),
                            ("frozen", "Frozen"),
                            ("running", "Running"),
                            ("stopped", "Stopped"),
                            ("done", "Done"),
                        ],
                        default="collecting",
                        max_length=10,
                    ),
                ),
                ("created_at", models.BigIntegerField(default=now_ms)),
                ("username", models.CharField(max_length=150)),
                ("address", models.CharField(blank=True, max_length=45)),
                ("reason", models.TextField(blank=True)),
                ("filter", models.TextField(blank=True)),
                ("options", models.JSONField(blank=True, default=dict)),
                ("rate", models.FloatField(null=True)),
                ("note", models.TextField(blank=True)),
                ("cursor", models.JSONField(null=True)),
                ("is_capped", models.BooleanField(default=False)),
                ("left_out", models.JSONField(blank=True, default=dict)),
                ("total", models.IntegerField(default=0)),
                ("done", models.IntegerField(default=0)),
                ("skipped", models.IntegerField(default=0)),
                ("failed", models.IntegerField(default=0)),
                ("started_at", models.BigIntegerField(null=True)),
                ("ended_at", models.BigIntegerField(null=True)),
                ("next_at", models.BigIntegerField(default=0)),
                ("lease_owner", models.CharField(blank=True, max_length=64)),
                ("lease_until", models.BigIntegerField(default=0)),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "dboshub_bulk",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="BulkItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("workflow_id", models.TextField()),
                ("name", models.TextField(null=True)),
                ("application_name", models.TextField(null=True)),
                ("was", models.CharField(max_length=40)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("started", "Started"),
                            ("done", "Done"),
                            ("skipped", "Skipped"),
                            ("failed", "Failed"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("note", models.TextField(blank=True)),
                ("made", models.TextField(blank=True)),
                ("at", models.BigIntegerField(null=True)),
                (
                    "job",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="workflows.bulkjob",
                    ),
                ),
            ],
            options={
                "db_table": "dboshub_bulk_item",
                "default_permissions": (),
            },
        ),
        migrations.AddIndex(
            model_name="bulkjob",
            index=models.Index(fields=["state", "next_at"], name="bulk_due"),
        ),
        migrations.AddIndex(
            model_name="bulkjob",
            index=models.Index(fields=["-created_at", "-id"], name="bulk_newest"),
        ),
        migrations.AddIndex(
            model_name="bulkitem",
            index=models.Index(fields=["job", "state", "id"], name="bulk_item_of_job"),
        ),
        migrations.AddConstraint(
            model_name="bulkitem",
            constraint=models.UniqueConstraint(
                fields=("job", "workflow_id"), name="bulk_item_once"
            ),
        ),
    ]
