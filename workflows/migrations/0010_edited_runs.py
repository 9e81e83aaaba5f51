"""The permission to fork a run with changes, and what such a fork changed."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dboshub_workflows", "0009_decisions_about_incidents"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="workflow",
            options={
                "default_permissions": ("view", "delete"),
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
            },
        ),
        migrations.AddField(
            model_name="auditevent",
            name="payload",
            field=models.JSONField(blank=True, null=True),
        ),
    ]
