"""The group of administrators may fork runs with changes."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

GRANTED = {"DBOSHub admin": ("dboshub_workflows.edit_run",)}


def grant(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    """Give the new permission to the group, if it is there."""
    using = editor.connection.alias
    # Permissions are otherwise made after the last migration, too late for this one.
    config = apps.get_app_config("dboshub_workflows")
    config.models_module = True
    create_permissions(config, verbosity=0, apps=apps, using=using)
    config.models_module = None
    permission = apps.get_model("auth", "Permission").objects.using(using)
    for name, wanted in GRANTED.items():
        for group in apps.get_model("auth", "Group").objects.using(using).filter(name=name):
            for each in wanted:
                label, codename = each.split(".")
                group.permissions.add(
                    permission.get(content_type__app_label=label, codename=codename)
                )


class Migration(migrations.Migration):
    dependencies = [
        ("dboshub", "0002_operators_decide_about_incidents"),
        ("dboshub_workflows", "0010_edited_runs"),
    ]

    operations = [
        migrations.RunPython(grant, migrations.RunPython.noop, hints={"hub": True}, elidable=True),
    ]
