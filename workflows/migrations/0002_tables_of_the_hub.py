"""The hub's own tables of this app: audit log, bulk jobs, rollups, scope rules, incidents, layouts.

They are ordinary tables, in the hub's own database. A database that has some of the migrations that
this one replaces is refused: `migrate` of the checkout that made it applies the others.
"""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from dboshub.workflows.clock import now_ms


class Migration(migrations.Migration):
    replaces = [
        ("dboshub_workflows", "0002_hub_tables"),
        ("dboshub_workflows", "0003_scopes_and_audit"),
        ("dboshub_workflows", "0004_audit_rows_without_attribute_values"),
        ("dboshub_workflows", "0005_suspended_workflows"),
        ("dboshub_workflows", "0006_rollups_of_queues"),
        ("dboshub_workflows", "0007_recorded_changes"),
        ("dboshub_workflows", "0008_undo_of_bulk_jobs"),
        ("dboshub_workflows", "0009_decisions_about_incidents"),
        ("dboshub_workflows", "0010_edited_runs"),
        ("dboshub_workflows", "0011_list_layouts"),
    ]

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("auth", "__first__"),
        ("dboshub_workflows", "0001_initial"),
    ]

    operations = [
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
            name="ListLayout",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("columns", models.TextField(blank=True)),
                (
                    "density",
                    models.CharField(
                        blank=True,
                        choices=[("", "Comfortable"), ("compact", "Compact")],
                        max_length=10,
                    ),
                ),
            ],
            options={
                "db_table": "dboshub_list_layout",
                "default_permissions": (),
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
                ("plan", models.JSONField(blank=True, default=dict, null=True)),
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
                    "undoes",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="undone_by",
                        to="dboshub_workflows.bulkjob",
                    ),
                ),
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
                "indexes": [
                    models.Index(fields=["state", "next_at"], name="bulk_due"),
                    models.Index(fields=["-created_at", "-id"], name="bulk_newest"),
                ],
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
                ("plan", models.TextField(null=True)),
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
                "indexes": [models.Index(fields=["job", "state", "id"], name="bulk_item_of_job")],
                "constraints": [
                    models.UniqueConstraint(fields=("job", "workflow_id"), name="bulk_item_once")
                ],
            },
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
        migrations.CreateModel(
            name="GroupScope",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "group",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="scope",
                        to="auth.group",
                    ),
                ),
            ],
            options={
                "verbose_name": "limited group",
                "db_table": "dboshub_group_scope",
            },
        ),
        migrations.CreateModel(
            name="IncidentDecision",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=20)),
                ("key", models.TextField()),
                ("application_name", models.TextField(blank=True)),
                (
                    "ignored",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("seen", "until it happens again"),
                            ("version", "until another version fails"),
                            ("until", "until a time"),
                            ("always", "always"),
                        ],
                        max_length=10,
                    ),
                ),
                ("ignored_at", models.BigIntegerField(null=True)),
                ("ignored_until", models.BigIntegerField(null=True)),
                ("ignored_versions", models.JSONField(blank=True, default=list)),
                ("ignored_by", models.CharField(blank=True, max_length=150)),
                ("why", models.TextField(blank=True)),
                ("assignee_name", models.CharField(blank=True, max_length=150)),
                (
                    "assignee",
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
                "db_table": "dboshub_incident_decision",
                "permissions": [("decide_incident", "Can ignore incidents and assign them")],
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "key"), name="incident_decision_once")
                ],
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
                        choices=[
                            ("all", "All"),
                            ("one", "One"),
                            ("rest", "Rest"),
                            ("queue", "Queue"),
                        ],
                        max_length=5,
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
                    models.Index(fields=["queue", "width", "at"], name="rollup_queue"),
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
                        on_delete=django.db.models.deletion.PROTECT,
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
                ("application_name", models.TextField(null=True)),
                ("reason", models.TextField(blank=True)),
                (
                    "outcome",
                    models.CharField(
                        choices=[("started", "Started"), ("done", "Done"), ("refused", "Refused")],
                        default="started",
                        max_length=10,
                    ),
                ),
                ("detail", models.JSONField(blank=True, default=dict)),
                ("payload", models.JSONField(blank=True, null=True)),
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
    ]
