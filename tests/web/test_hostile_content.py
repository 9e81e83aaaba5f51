"""Whatever a row says, in whichever column, every page shows it as text and none breaks."""

from __future__ import annotations

import base64
import json
import os
import pickle
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from dboshub.models import SavedView
from dboshub.queues.models import Queue
from dboshub.schedules.models import Schedule
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic
from dboshub.workflows.models import ApplicationVersion, AuditEvent, BulkJob, Executor
from dboshub.workflows.storage.sql import Session, Statement
from tests.support.runs import add_step, add_workflow
from tests.web.routes import THERE, routes
from tests.web.workflows.test_detail import add_everything, addresses

pytestmark = pytest.mark.django_db

NASTY = "<script>alert('x')</script>\"><b onclick=y>{{7*7}} \u202egnp./a//b 🐒 %2F?#&amp;\\u003c"
MEGABYTES = 10
LARGEST_PAGE = 3_000_000
MARK = Path("/tmp/dboshub-hostile-content")  # nothing may ever make it


class Command:
    def __reduce__(self) -> Any:
        return os.system, (f"touch {MARK}",)


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


# What stands in every column that holds a value, and the format it claims to have.
PAYLOADS = {
    "script": (json.dumps(NASTY), "portable_json"),
    "command": (base64_of(pickle.dumps(Command())), "py_pickle"),
    "broken pickle": (base64_of(pickle.dumps([NASTY] * 3)[:-9]), "py_pickle"),
    "no base64": (NASTY, "py_pickle"),
    "no JSON": (f"[{NASTY}", "portable_json"),
    "of another world": (NASTY, NASTY),
    "large": (json.dumps(NASTY * (MEGABYTES * 1_000_000 // len(NASTY))), "portable_json"),
}
VALUES = {
    "workflow_input": ("inputs",),
    "workflow_output": ("output", "error"),
    "operation_outputs": ("output", "error"),
    "workflow_events": ("value",),
    "workflow_events_history": ("value",),
    "streams": ("value",),
    "notifications": ("message",),
}
NAMES = {
    "workflow_status": (
        "name",
        "class_name",
        "config_name",
        "queue_name",
        "deduplication_id",
        "authenticated_user",
        "assumed_role",
        "authenticated_roles",
        "queue_partition_key",
        "application_version",
        "application_id",
        "application_name",
        "executor_id",
        "schedule_name",
        "parent_workflow_id",
        "forked_from",
    ),
    "operation_outputs": ("function_name",),
    "workflow_events": ("key",),
    "workflow_events_history": ("key",),
    "streams": ("key",),
    "notifications": ("topic",),
}


def spoil(session: Session, payload: str, form: str) -> None:
    """Put what is hostile into each column of each row."""
    for table, columns in NAMES.items():
        for column in columns:
            _set(session, table, column, NASTY)
    for table, columns in VALUES.items():
        for column in columns:
            _set(session, table, column, payload)
    for table in ("workflow_status", *(set(VALUES) - {"workflow_input", "workflow_output"})):
        _set(session, table, "serialization", form)


def _set(session: Session, table: str, column: str, value: str) -> None:
    # One deduplication id of a queue is one workflow's.
    only = " WHERE status = 'FLYING'" if column == "deduplication_id" else ""
    session.run(Statement(f"UPDATE {{{table}}} SET {column} = :value{only}"), value=value)


@pytest.fixture
def root(client: Client, settings: Any, tmp_path: Path) -> Client:
    settings.DBOSHUB_DATA_DIR = tmp_path
    user = get_user_model().objects.create_superuser("root", password=None)
    client.force_login(user)
    client.raise_request_exception = False
    functions = {NASTY: {"doc": NASTY, "parameters": {"properties": {NASTY: {"type": NASTY}}}}}
    more = {"hostname": NASTY, "application_name": NASTY, "application_version": NASTY, "pid": 7}
    Executor.objects.create(
        incarnation="e",
        executor_id=NASTY,
        functions=json.dumps(functions),
        last_beat_at=now_ms(),
        lease_ms=3_600_000,
        **more,
    )
    ApplicationVersion.objects.create(
        version_id="v", version_name=NASTY, version_timestamp=1, application_name=NASTY
    )
    Queue.objects.create(queue_id="q", name=NASTY, application_name=NASTY)
    AuditEvent.objects.create(
        username=NASTY, address=NASTY[:45], action=NASTY[:40], target=NASTY, reason=NASTY
    )
    given = {"username": NASTY, "reason": NASTY, "note": NASTY, "filter": f"name={NASTY}"}
    BulkJob.objects.create(pk=1, verb="cancel", state="done", started_at=1, **given)
    SavedView.objects.create(pk=1, owner=user, name=NASTY[:60], query=f"name={NASTY}")
    return client


def pages() -> Iterator[str]:
    """Every route, with what is hostile in each of its parts."""
    known = {"workflow_id": [NASTY], "name": [NASTY], "target": [NASTY]}
    for route in routes():
        names = [name for _, name in route.parts]
        there = [
            known.get(name) or THERE.get(name) or THERE[f"{route.name} {name}"] for name in names
        ]
        for found in product(*there):
            yield reverse(route.name, kwargs=dict(zip(names, found, strict=True)))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_is_hostile_is_shown_as_text_on_every_page(root: Client, payload: str) -> None:
    value, form = PAYLOADS[payload]
    add_everything(NASTY, "value", "ERROR")
    with atomic() as session:
        add_workflow(session, "flying", "FLYING")
        add_step(session, "flying", 1, "charge", output=1)
        spoil(session, value, form)
    named = {"schedule_name": NASTY, "workflow_name": NASTY, "schedule": NASTY, "status": NASTY}
    Schedule.objects.create(schedule_id="s", context=value, **named)
    known = [each for each in addresses(NASTY) if "download" not in each]
    known += ["/workflows/?status=FLYING", "/workflows/run/flying"]
    two = urlencode({"a": NASTY, "b": "flying", "left": 1, "right": 1})
    known += [f"/workflows/compare/?{two}", f"/workflows/compare/step/?{two}"]
    answered = shown = 0
    for address in [*pages(), *known]:
        answer = root.get(address, follow=True)
        assert answer.status_code < 500, address
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            text = answer.content.decode()
            answered += answer.status_code == 200
            shown += "&lt;script&gt;alert" in text
            assert "<script>alert" not in text, address
            assert "<b onclick" not in text, address
            assert len(text) < LARGEST_PAGE, address
    assert answered > 60
    assert shown > 40
    assert not MARK.exists()
