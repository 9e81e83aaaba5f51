"""Let the admins' group steer executors and versions, if it is still there."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

GROUP = "DBOSHub admin"
CODENAMES = ("adopt_executor", "promote_version")


def permit(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    using = editor.connection.alias
    # Permissions are otherwise made after the last migration, too late for this one.
    config = apps.get_app_config("workflows")
    config.models_module = True
    create_permissions(config, verbosity=0, apps=apps, using=using)
    config.models_module = None
    permissions = apps.get_model("auth", "Permission").objects.using(using)
    wanted = permissions.filter(content_type__app_label="workflows", codename__in=CODENAMES)
    for group in apps.get_model("auth", "Group").objects.using(using).filter(name=GROUP):
        group.permissions.add(*wanted)


class Migration(migrations.Migration):
    dependencies = [("dboshub", "0002_groups"), ("workflows", "0003_steer_executors")]

    operations = [
        migrations.RunPython(permit, migrations.RunPython.noop, hints={"hub": True}),
    ]
