"""How each person has the list of workflows."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("dboshub_workflows", "0010_edited_runs"),
    ]

    operations = [
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
            options={"db_table": "dboshub_list_layout", "default_permissions": ()},
        ),
    ]
