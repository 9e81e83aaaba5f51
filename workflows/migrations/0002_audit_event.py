"""The audit log: an ordinary table of the hub, in the hub's own database."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from workflows.system_tables import now_ms


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0001_system_tables"),
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
    ]
