"""Values of attributes leave the audit rows that were written when filters kept them.

Who may read the audit log need not be permitted to see payloads. New rows never hold such values.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from dboshub.workflows.search.attributes import PREFIX
from dboshub.workflows.search.criteria import public_query

BATCH = 500


def withhold_values(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    events = apps.get_model("dboshub_workflows", "AuditEvent").objects.using(
        editor.connection.alias
    )
    exports = events.filter(action="export", target_kind="workflows", target__contains=PREFIX)
    for event in exports.iterator(BATCH):
        event.target = public_query(event.target)
        event.save(update_fields=["target"])
    # No index finds the filters in `detail`: the rows of bulk jobs are few.
    for event in events.filter(target_kind="bulk").iterator(BATCH):
        kept = event.detail.get("filter") if isinstance(event.detail, dict) else None
        if isinstance(kept, str) and PREFIX in kept:
            event.detail = {**event.detail, "filter": public_query(kept)}
            event.save(update_fields=["detail"])


class Migration(migrations.Migration):
    dependencies = [("dboshub_workflows", "0003_scopes_and_audit")]

    operations = [
        migrations.RunPython(
            withhold_values, migrations.RunPython.noop, hints={"hub": True}, elidable=True
        ),
    ]
