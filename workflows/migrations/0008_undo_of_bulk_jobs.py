"""The job that a bulk job undoes."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dboshub_workflows", "0007_recorded_changes"),
    ]

    operations = [
        migrations.AddField(
            model_name="bulkjob",
            name="undoes",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="undone_by",
                to="dboshub_workflows.bulkjob",
            ),
        ),
    ]
