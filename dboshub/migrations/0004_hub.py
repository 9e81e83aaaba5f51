"""The permission to see how the hub fares, for the operators' and the admins' groups."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management import create_permissions
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

GROUPS = ("DBOSHub operator", "DBOSHub admin")


def permit(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    using = editor.connection.alias
    # Permissions are otherwise made after the last migration, too late for this one.
    config = apps.get_app_config("dboshub")
    config.models_module = True
    create_permissions(config, verbosity=0, apps=apps, using=using)
    config.models_module = None
    permissions = apps.get_model("auth", "Permission").objects.using(using)
    wanted = permissions.get(content_type__app_label="dboshub", codename="view_hub")
    for group in apps.get_model("auth", "Group").objects.using(using).filter(name__in=GROUPS):
        group.permissions.add(wanted)


class Migration(migrations.Migration):
    dependencies = [("dboshub", "0003_admins_steer_executors")]

    operations = [
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
        migrations.RunPython(permit, migrations.RunPython.noop, hints={"hub": True}),
    ]
