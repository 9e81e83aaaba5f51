"""The table of what suspended workflows wait for, beside the system tables."""

from __future__ import annotations

from django.db import migrations

from dboshub.workflows.system_tables import make_system_tables


class Migration(migrations.Migration):
    dependencies = [("dboshub_workflows", "0004_audit_rows_without_attribute_values")]

    operations = [migrations.RunPython(make_system_tables, migrations.RunPython.noop)]
