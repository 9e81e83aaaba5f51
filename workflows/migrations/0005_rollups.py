"""Rollups and the lease of who keeps them: ordinary tables of the hub, in its own database."""

from __future__ import annotations

from django.db import migrations, models

from workflows.system_tables import now_ms


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0004_bulk"),
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
    ]
