"""Permissions to steer executors and versions: they are few, and each has its own danger."""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("workflows", "0002_audit_event")]

    operations = [
        migrations.AlterModelOptions(
            name="applicationversion",
            options={
                "default_permissions": (),
                "permissions": [("promote_version", "Can make a version the latest")],
            },
        ),
        migrations.AlterModelOptions(
            name="executor",
            options={
                "default_permissions": (),
                "permissions": [("adopt_executor", "Can adopt the work of an executor")],
            },
        ),
    ]
