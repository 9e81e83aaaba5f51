"""Operators and admins may decide about incidents, unless somebody has changed these groups."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

GRANTED = {
    "DBOSHub operator": ("dboshub_workflows.decide_incident",),
    "DBOSHub admin": ("dboshub_workflows.decide_incident",),
}
# Who may do this acts on failed work, and may as well decide to leave it.
ACTS = "fork_workflow"


def grant(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    using = editor.connection.alias
    config = apps.get_app_config("dboshub_workflows")
    config.models_module = True
    create_permissions(config, verbosity=0, apps=apps, using=using)
    config.models_module = None
    permissions = apps.get_model("auth", "Permission").objects.using(using)
    groups = apps.get_model("auth", "Group").objects.using(using)
    for name, granted in GRANTED.items():
        for group in groups.filter(name=name, permissions__codename=ACTS).distinct():
            for each in granted:
                label, codename = each.split(".")
                group.permissions.add(
                    permissions.get(content_type__app_label=label, codename=codename)
                )


class Migration(migrations.Migration):
    dependencies = [
        ("dboshub", "0001_initial"),
        ("dboshub_workflows", "0009_decisions_about_incidents"),
    ]

    operations = [
        migrations.RunPython(grant, migrations.RunPython.noop, hints={"hub": True}),
    ]
