"""Decisions about incidents. No page asks any more which names failed, by an index of rollups."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("dboshub_workflows", "0008_undo_of_bulk_jobs"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="rollup", name="rollup_failed"),
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
    ]
