"""Three groups to give people: watch, operate, administer."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

VIEWER = ("workflows.view_workflow", "queues.view_queue", "schedules.view_schedule")
OPERATOR = (
    *VIEWER,
    "workflows.view_payload",
    "workflows.cancel_workflow",
    "workflows.resume_workflow",
    "workflows.fork_workflow",
    "workflows.start_workflow",
    "workflows.send_message",
    "queues.change_queue",
)
ADMIN = (
    *OPERATOR,
    "workflows.delete_workflow",
    "workflows.view_auditevent",
    "queues.add_queue",
    "queues.delete_queue",
    "schedules.change_schedule",
)
GROUPS = {"DBOSHub viewer": VIEWER, "DBOSHub operator": OPERATOR, "DBOSHub admin": ADMIN}


def make_groups(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Add what is missing; a group that somebody has changed since keeps its changes."""
    using = editor.connection.alias
    for label in ("workflows", "queues", "schedules"):
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
    dependencies = [
        ("dboshub", "0001_login_attempt"),
        ("workflows", "0002_audit_event"),
        ("queues", "0001_system_tables"),
        ("schedules", "0001_system_tables"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.RunPython(make_groups, migrations.RunPython.noop, hints={"hub": True}),
    ]
