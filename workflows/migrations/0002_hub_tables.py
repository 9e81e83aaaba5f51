"""The hub's own tables of this app: audit log, bulk jobs, rollups, scope rules.

They are ordinary tables, in the hub's own database.
"""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from dboshub.workflows.clock import now_ms


class Migration(migrations.Migration):
    dependencies = [
        ("dboshub_workflows", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.BigIntegerField(default=now_ms)),
                ("username", models.CharField(max_length=150)),
                ("address", models.CharField(blank=True, max_length=45)),
                ("action", models.CharField(max_length=40)),
                ("target_kind", models.CharField(max_length=20)),
                ("target", models.TextField()),
                ("reason", models.TextField(blank=True)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("started", "Started"),
                            ("done", "Done"),
                            ("refused", "Refused"),
                        ],
                        default="started",
                        max_length=10,
                    ),
                ),
                ("detail", models.JSONField(blank=True, default=dict)),
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
                "db_table": "dboshub_audit_event",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["-at", "-id"], name="audit_event_newest"),
                    models.Index(
                        fields=["target_kind", "target", "-at"], name="audit_event_of_target"
                    ),
                    models.Index(fields=["user", "-at"], name="audit_event_of_user"),
                ],
            },
        ),
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
                        to="dboshub_workflows.bulkjob",
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
        migrations.CreateModel(
            name="Lease",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("owner", models.CharField(blank=True, max_length=64)),
                ("until", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "dboshub_lease",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="QueueSample",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("width", models.IntegerField()),
                ("at", models.BigIntegerField()),
                ("queue", models.TextField()),
                ("waiting", models.IntegerField()),
                ("running", models.IntegerField()),
                ("is_at_least", models.BooleanField(default=False)),
                ("oldest_ms", models.BigIntegerField(null=True)),
            ],
            options={
                "db_table": "dboshub_queue_sample",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("width", "at", "queue"), name="queue_sample_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="RolledSpan",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("width", models.IntegerField()),
                ("at", models.BigIntegerField()),
                ("closed_at", models.BigIntegerField(default=now_ms)),
                ("covered", models.SmallIntegerField(default=1)),
                ("digest", models.CharField(blank=True, max_length=32)),
            ],
            options={
                "db_table": "dboshub_rolled_span",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("width", "at"), name="rolled_span_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Rollup",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("width", models.IntegerField()),
                ("at", models.BigIntegerField()),
                (
                    "scope",
                    models.CharField(
                        choices=[("all", "All"), ("one", "One"), ("rest", "Rest")], max_length=4
                    ),
                ),
                ("application", models.TextField(blank=True)),
                ("name", models.TextField(blank=True)),
                ("queue", models.TextField(blank=True)),
                ("created", models.IntegerField(default=0)),
                ("succeeded", models.IntegerField(default=0)),
                ("failed", models.IntegerField(default=0)),
                ("cancelled", models.IntegerField(default=0)),
                ("gave_up", models.IntegerField(default=0)),
                ("run", models.JSONField(default=dict)),
                ("wait", models.JSONField(default=dict)),
            ],
            options={
                "db_table": "dboshub_rollup",
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["width", "scope", "at"], name="rollup_span"),
                    models.Index(fields=["name", "width", "at"], name="rollup_name"),
                    models.Index(
                        condition=models.Q(
                            ("scope", "one"),
                            models.Q(("failed__gt", 0), ("gave_up__gt", 0), _connector="OR"),
                        ),
                        fields=["width", "at"],
                        name="rollup_failed",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ScopeRule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "application",
                    models.CharField(
                        blank=True, help_text="Empty: what names no application.", max_length=255
                    ),
                ),
                (
                    "group",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="scope_rules",
                        to="auth.group",
                    ),
                ),
            ],
            options={
                "db_table": "dboshub_scope_rule",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("group", "application"), name="one_scope_rule_each"
                    )
                ],
            },
        ),
        migrations.AddIndex(
            model_name="rollup",
            index=models.Index(fields=["queue", "width", "at"], name="rollup_queue"),
        ),
    ]
