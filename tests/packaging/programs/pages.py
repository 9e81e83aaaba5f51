"""Put one thing of each kind into the database and print the address of every page, as JSON."""

from __future__ import annotations

import json
import time

import django

django.setup()

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.urls import reverse
from routes import places, routes

from dboshub.exports import writer
from dboshub.exports.store import Export, add, update
from dboshub.models import SavedView
from dboshub.schedules.models import Schedule
from dboshub.workflows.models import AuditEvent, BulkJob, QueueSample
from dboshub.workflows.models.rollups import HOUR, MINUTE

user = get_user_model().objects.get()
BulkJob.objects.create(pk=1, verb="cancel", state="done", username=user.username, started_at=1)
SavedView.objects.create(pk=1, owner=user, name="mine", query="status=ERROR")
Schedule.objects.create(
    schedule_id="s", schedule_name="s", workflow_name="checkout", schedule="0 3 * * *", context=""
)
now = time.time_ns() // 10**6
sides = {side: [f'"{side}"', "portable_json", False] for side in ("old", "new")}
edit = {"at": now, "action": "edit", "target_kind": "workflow", "target": "w", "payload": sides}
AuditEvent.objects.update_or_create(pk=1, defaults=edit)
QueueSample.objects.create(
    width=MINUTE, at=now - HOUR, queue="q", waiting=9, running=0, oldest_ms=HOUR
)
export = Export(key="an_export", user=str(user.pk), of="audit", query="", format="csv", made_at=now)
add(export)
update(writer.write(export))

# Pages that show one thing of those that the workflow of script.py has left.
ASKED = {
    "dboshub:find": "?q=checkout",
    "dboshub:workflows:compare_step": "?a=w&b=refused&left=1&right=1",
    "dboshub:exports:new": "?of=workflows",
    "dboshub:workflows:error_group": "?kind=ValueError&step=fail",
    "dboshub:workflows:stream": "?key=log",
    "dboshub:workflows:value": "?of=input",
}
pages = [f"{address}{ASKED.get(route.name, '')}" for route in routes() for address in places(route)]
pages.append(reverse("admin:index"))
for model in admin.site._registry:
    pages.append(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"))
print(json.dumps(pages))
