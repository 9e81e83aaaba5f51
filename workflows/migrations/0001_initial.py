"""Schema 125, made by one script of statements, or what a DBOS library made, adopted.

The state operations only tell Django what is there: it never alters these tables.
"""

from __future__ import annotations

from django.db import migrations, models

from dboshub.workflows.clock import now_ms
from dboshub.workflows.system_tables import make_system_tables, system_table


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunPython(make_system_tables, migrations.RunPython.noop),
            ],
            state_operations=[
                migrations.CreateModel(
                    name="ApplicationVersion",
                    fields=[
                        ("version_id", models.TextField(primary_key=True, serialize=False)),
                        ("version_name", models.TextField(unique=True)),
                        ("version_timestamp", models.BigIntegerField(default=now_ms)),
                        ("created_at", models.BigIntegerField(default=now_ms)),
                        ("application_name", models.TextField(null=True)),
                    ],
                    options={
                        "db_table": system_table("application_versions"),
                        "default_permissions": (),
                        "permissions": [("promote_version", "Can make a version the latest")],
                    },
                ),
                migrations.CreateModel(
                    name="Attempt",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "workflow_uuid",
                                "function_id",
                                "attempt",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("workflow_uuid", models.TextField(verbose_name="workflow id")),
                        ("function_id", models.IntegerField(verbose_name="step")),
                        ("attempt", models.IntegerField()),
                        ("error", models.TextField(null=True)),
                        ("message", models.TextField(null=True)),
                        ("failed_at", models.BigIntegerField(default=now_ms)),
                        ("next_at", models.BigIntegerField(null=True)),
                    ],
                    options={
                        "db_table": system_table("dboshub_attempt"),
                        "default_permissions": (),
                    },
                ),
                migrations.CreateModel(
                    name="Event",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "workflow_uuid",
                                "key",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("workflow_uuid", models.TextField(verbose_name="workflow id")),
                        ("key", models.TextField()),
                        ("value", models.TextField()),
                        ("serialization", models.TextField(null=True)),
                    ],
                    options={
                        "db_table": system_table("workflow_events"),
                        "default_permissions": (),
                    },
                ),
                migrations.CreateModel(
                    name="EventHistory",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "workflow_uuid",
                                "function_id",
                                "key",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("workflow_uuid", models.TextField(verbose_name="workflow id")),
                        ("function_id", models.IntegerField(verbose_name="step")),
                        ("key", models.TextField()),
                        ("value", models.TextField()),
                        ("serialization", models.TextField(null=True)),
                    ],
                    options={
                        "db_table": system_table("workflow_events_history"),
                        "default_permissions": (),
                    },
                ),
                migrations.CreateModel(
                    name="Executor",
                    fields=[
                        ("incarnation", models.TextField(primary_key=True, serialize=False)),
                        ("executor_id", models.TextField()),
                        ("application_name", models.TextField(null=True)),
                        ("application_version", models.TextField(null=True)),
                        ("hostname", models.TextField(null=True)),
                        ("pid", models.BigIntegerField(null=True)),
                        ("boot_id", models.TextField(null=True)),
                        ("pid_namespace", models.TextField(null=True)),
                        ("process_started", models.TextField(null=True)),
                        ("protocol", models.IntegerField(default=1)),
                        ("beat", models.BigIntegerField(default=0)),
                        ("lease_ms", models.BigIntegerField()),
                        ("registered_at", models.BigIntegerField(default=now_ms)),
                        ("last_beat_at", models.BigIntegerField(default=now_ms)),
                        ("stopped_at", models.BigIntegerField(null=True)),
                        ("declared_dead_at", models.BigIntegerField(null=True)),
                        ("declared_dead_by", models.TextField(null=True)),
                        ("queues", models.TextField(null=True)),
                        ("slots", models.IntegerField(null=True)),
                        ("busy", models.IntegerField(default=0)),
                        ("functions", models.TextField(null=True)),
                        ("activity", models.TextField(null=True)),
                    ],
                    options={
                        "db_table": system_table("dboshub_executor"),
                        "default_permissions": (),
                        "permissions": [("adopt_executor", "Can adopt the work of an executor")],
                    },
                ),
                migrations.CreateModel(
                    name="Message",
                    fields=[
                        (
                            "message_uuid",
                            models.TextField(
                                primary_key=True, serialize=False, verbose_name="message id"
                            ),
                        ),
                        ("destination_uuid", models.TextField(verbose_name="workflow id")),
                        ("topic", models.TextField(null=True)),
                        ("message", models.TextField()),
                        ("created_at_epoch_ms", models.BigIntegerField(default=now_ms)),
                        ("serialization", models.TextField(null=True)),
                        ("consumed", models.BooleanField(default=False)),
                        ("consumed_by_function_id", models.IntegerField(null=True)),
                    ],
                    options={
                        "db_table": system_table("notifications"),
                        "default_permissions": (),
                    },
                ),
                migrations.CreateModel(
                    name="Step",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "workflow_uuid",
                                "function_id",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("workflow_uuid", models.TextField(verbose_name="workflow id")),
                        ("function_id", models.IntegerField(verbose_name="step")),
                        ("function_name", models.TextField(default="", verbose_name="name")),
                        ("output", models.TextField(null=True)),
                        ("error", models.TextField(null=True)),
                        ("child_workflow_id", models.TextField(null=True)),
                        ("started_at_epoch_ms", models.BigIntegerField(null=True)),
                        ("completed_at_epoch_ms", models.BigIntegerField(null=True)),
                        ("serialization", models.TextField(null=True)),
                        ("application_name", models.TextField(null=True)),
                        ("retention_timestamp", models.BigIntegerField(default=now_ms)),
                    ],
                    options={
                        "db_table": system_table("operation_outputs"),
                        "default_permissions": (),
                    },
                ),
                migrations.CreateModel(
                    name="StreamValue",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "workflow_uuid",
                                "key",
                                "offset",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("workflow_uuid", models.TextField(verbose_name="workflow id")),
                        ("key", models.TextField()),
                        ("value", models.TextField()),
                        ("offset", models.IntegerField()),
                        ("function_id", models.IntegerField(default=0, verbose_name="step")),
                        ("serialization", models.TextField(null=True)),
                    ],
                    options={
                        "db_table": system_table("streams"),
                        "default_permissions": (),
                    },
                ),
                migrations.CreateModel(
                    name="Workflow",
                    fields=[
                        (
                            "workflow_uuid",
                            models.TextField(
                                primary_key=True, serialize=False, verbose_name="workflow id"
                            ),
                        ),
                        (
                            "status",
                            models.TextField(
                                choices=[
                                    ("PENDING", "PENDING"),
                                    ("ENQUEUED", "ENQUEUED"),
                                    ("DELAYED", "DELAYED"),
                                    ("SUCCESS", "SUCCESS"),
                                    ("ERROR", "ERROR"),
                                    ("CANCELLED", "CANCELLED"),
                                    (
                                        "MAX_RECOVERY_ATTEMPTS_EXCEEDED",
                                        "MAX_RECOVERY_ATTEMPTS_EXCEEDED",
                                    ),
                                ],
                                null=True,
                            ),
                        ),
                        ("name", models.TextField(null=True)),
                        ("authenticated_user", models.TextField(null=True)),
                        ("assumed_role", models.TextField(null=True)),
                        ("authenticated_roles", models.TextField(null=True)),
                        ("request", models.TextField(null=True)),
                        ("output", models.TextField(null=True)),
                        ("error", models.TextField(null=True)),
                        ("executor_id", models.TextField(null=True)),
                        ("created_at", models.BigIntegerField(default=now_ms)),
                        ("updated_at", models.BigIntegerField(default=now_ms)),
                        ("application_version", models.TextField(null=True)),
                        ("application_id", models.TextField(null=True)),
                        ("class_name", models.CharField(max_length=255, null=True)),
                        ("config_name", models.CharField(max_length=255, null=True)),
                        ("recovery_attempts", models.BigIntegerField(default=0, null=True)),
                        ("queue_name", models.TextField(null=True)),
                        ("workflow_timeout_ms", models.BigIntegerField(null=True)),
                        ("workflow_deadline_epoch_ms", models.BigIntegerField(null=True)),
                        ("inputs", models.TextField(null=True)),
                        ("started_at_epoch_ms", models.BigIntegerField(null=True)),
                        ("deduplication_id", models.TextField(null=True)),
                        ("priority", models.IntegerField(default=0)),
                        ("queue_partition_key", models.TextField(null=True)),
                        ("forked_from", models.TextField(null=True)),
                        ("owner_xid", models.TextField(null=True)),
                        ("parent_workflow_id", models.TextField(null=True)),
                        ("serialization", models.TextField(null=True)),
                        ("delay_until_epoch_ms", models.BigIntegerField(null=True)),
                        ("was_forked_from", models.BooleanField(default=False)),
                        ("rate_limited", models.BooleanField(default=False)),
                        ("completed_at", models.BigIntegerField(null=True)),
                        ("attributes", models.JSONField(null=True)),
                        ("schedule_name", models.TextField(null=True)),
                        ("debounce_deadline_epoch_ms", models.BigIntegerField(null=True)),
                        ("is_debounced", models.BooleanField(default=False)),
                        ("application_name", models.TextField(null=True)),
                        ("creator_xid", models.TextField(null=True)),
                    ],
                    options={
                        "db_table": system_table("workflow_status"),
                        "permissions": [
                            (
                                "view_payload",
                                "Can see inputs, outputs, errors, events, messages and streams",
                            ),
                            ("cancel_workflow", "Can cancel workflows"),
                            ("resume_workflow", "Can resume workflows"),
                            ("fork_workflow", "Can fork workflows"),
                            ("edit_run", "Can fork workflows with changed input or results"),
                            ("start_workflow", "Can start workflows"),
                            ("send_message", "Can send messages to workflows"),
                        ],
                        "default_permissions": ("view", "delete"),
                    },
                ),
                migrations.CreateModel(
                    name="WorkflowInput",
                    fields=[
                        (
                            "workflow_uuid",
                            models.TextField(
                                primary_key=True, serialize=False, verbose_name="workflow id"
                            ),
                        ),
                        ("inputs", models.TextField(null=True)),
                        ("retention_timestamp", models.BigIntegerField(default=now_ms)),
                    ],
                    options={
                        "db_table": system_table("workflow_input"),
                        "default_permissions": (),
                    },
                ),
                migrations.CreateModel(
                    name="WorkflowOutput",
                    fields=[
                        (
                            "workflow_uuid",
                            models.TextField(
                                primary_key=True, serialize=False, verbose_name="workflow id"
                            ),
                        ),
                        ("output", models.TextField(null=True)),
                        ("error", models.TextField(null=True)),
                        ("retention_timestamp", models.BigIntegerField(default=now_ms)),
                    ],
                    options={
                        "db_table": system_table("workflow_output"),
                        "default_permissions": (),
                    },
                ),
            ],
        ),
    ]
