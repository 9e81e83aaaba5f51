"""The hub's own tables, and three groups of people: viewer, operator, admin."""

from __future__ import annotations

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

VIEWER = (
    "dboshub_workflows.view_workflow",
    "dboshub_queues.view_queue",
    "dboshub_schedules.view_schedule",
)
OPERATOR = (
    *VIEWER,
    "dboshub_workflows.view_payload",
    "dboshub_workflows.cancel_workflow",
    "dboshub_workflows.resume_workflow",
    "dboshub_workflows.fork_workflow",
    "dboshub_workflows.start_workflow",
    "dboshub_workflows.send_message",
    "dboshub_workflows.decide_incident",
    "dboshub_queues.change_queue",
    "dboshub.view_hub",
)
ADMIN = (
    *OPERATOR,
    "dboshub_workflows.delete_workflow",
    "dboshub_workflows.edit_run",
    "dboshub_workflows.view_auditevent",
    "dboshub_queues.add_queue",
    "dboshub_queues.delete_queue",
    "dboshub_schedules.change_schedule",
    "dboshub_workflows.adopt_executor",
    "dboshub_workflows.promote_version",
    "dboshub.share_view",
)
GROUPS = {"DBOSHub viewer": VIEWER, "DBOSHub operator": OPERATOR, "DBOSHub admin": ADMIN}


def make_groups(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Add what is missing; a group that somebody has changed since keeps its changes."""
    using = editor.connection.alias
    for label in ("dboshub_workflows", "dboshub_queues", "dboshub_schedules", "dboshub"):
        # Permissions are otherwise made after the last migration, too late for this one.
        config = apps.get_app_config(label)
        config.models_module = True
        create_permissions(config, verbosity=0, apps=apps, using=using)
        config.models_module = None
    permission = apps.get_model("auth", "Permission").objects.using(using)
    for name, wanted in GROUPS.items():
        group, created = (
            apps.get_model("auth", "Group").objects.using(using).get_or_create(name=name)
        )
        if created:
            group.permissions.set([_named(permission, each) for each in wanted])


def _named(permissions: Any, name: str) -> Any:
    label, codename = name.split(".")
    return permissions.get(content_type__app_label=label, codename=codename)


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("dboshub_workflows", "0002_tables_of_the_hub"),
        ("dboshub_queues", "0001_initial"),
        ("dboshub_schedules", "0001_initial"),
        ("contenttypes", "0002_remove_content_type_name"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="LoginAttempt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=64)),
                ("at", models.DateTimeField()),
            ],
            options={
                "db_table": "dboshub_login_attempt",
                "indexes": [models.Index(fields=["key", "at"], name="login_attempt_recent")],
            },
        ),
        migrations.CreateModel(
            name="Hub",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
            ],
            options={
                "permissions": [("view_hub", "Can see how the hub and its database fare")],
                "managed": False,
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="SavedView",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("page", models.CharField(default="workflows", max_length=20)),
                ("name", models.CharField(max_length=60)),
                ("query", models.TextField(blank=True)),
                ("is_shared", models.BooleanField(default=False)),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "dboshub_saved_view",
                "permissions": [("share_view", "Can share saved views, and delete shared ones")],
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("owner", "page", "name"), name="saved_view_of_owner"
                    )
                ],
            },
        ),
        migrations.RunPython(make_groups, migrations.RunPython.noop, hints={"hub": True}),
    ]
