"""Saved views, and the permission to share them for the admins' group."""

from __future__ import annotations

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

GROUP = "DBOSHub admin"


def permit(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    using = editor.connection.alias
    # Permissions are otherwise made after the last migration, too late for this one.
    config = apps.get_app_config("dboshub")
    config.models_module = True
    create_permissions(config, verbosity=0, apps=apps, using=using)
    config.models_module = None
    permissions = apps.get_model("auth", "Permission").objects.using(using)
    wanted = permissions.get(content_type__app_label="dboshub", codename="share_view")
    for group in apps.get_model("auth", "Group").objects.using(using).filter(name=GROUP):
        group.permissions.add(wanted)


class Migration(migrations.Migration):
    dependencies = [
        ("dboshub", "0004_hub"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
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
        migrations.RunPython(permit, migrations.RunPython.noop, hints={"hub": True}),
    ]
