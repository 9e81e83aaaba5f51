"""Scope rules: an ordinary table of the hub, in the hub's own database."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("workflows", "0005_rollups"),
    ]

    operations = [
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
    ]
