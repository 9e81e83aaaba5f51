"""Groups that stay limited without a rule, and the application that an audit event is about."""

from __future__ import annotations

from typing import Any

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def limit_groups_with_rules(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    using = editor.connection.alias
    rules = apps.get_model("dboshub_workflows", "ScopeRule").objects.using(using)
    limits = apps.get_model("dboshub_workflows", "GroupScope").objects.using(using)
    for group in {*rules.values_list("group", flat=True)}:
        limits.get_or_create(group_id=group)


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("dboshub_workflows", "0002_hub_tables"),
    ]

    operations = [
        migrations.CreateModel(
            name="GroupScope",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "group",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="scope",
                        to="auth.group",
                    ),
                ),
            ],
            options={"verbose_name": "limited group", "db_table": "dboshub_group_scope"},
        ),
        migrations.AddField(
            model_name="auditevent",
            name="application_name",
            field=models.TextField(null=True),
        ),
        migrations.AlterField(
            model_name="scoperule",
            name="group",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="scope_rules",
                to="auth.group",
            ),
        ),
        migrations.RunPython(
            limit_groups_with_rules, migrations.RunPython.noop, hints={"hub": True}
        ),
    ]
