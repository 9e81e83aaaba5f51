"""Rollups count names and queues apart."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dboshub_workflows", "0005_suspended_workflows")]

    operations = [
        migrations.AlterField(
            model_name="rollup",
            name="scope",
            field=models.CharField(
                choices=[("all", "All"), ("one", "One"), ("rest", "Rest"), ("queue", "Queue")],
                max_length=5,
            ),
        ),
    ]
