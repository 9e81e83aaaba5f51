"""A filter on attributes holds payload: those who may not see payloads meet it nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from dboshub.exports import writer
from dboshub.models import SavedView
from dboshub.workflows.connection import atomic
from dboshub.workflows.models import AuditEvent, BulkJob
from tests.support.runs import add_workflow

pytestmark = pytest.mark.django_db

SECRET = "acme-is-a-customer"
FILTERS = [f"attr.tenant={SECRET}", f"q=attr.tenant%3A{SECRET}", f"and=-attr.tenant%3A{SECRET}"]
VIEWER = ("dboshub_workflows.view_workflow", "dboshub_workflows.view_auditevent")
READER = (*VIEWER, "dboshub_workflows.view_payload", "dboshub_workflows.cancel_workflow")


@pytest.fixture
def reader(client: Client, make_user: Callable[..., Any], settings: Any, tmp_path: Path) -> Client:
    settings.DBOSHUB_DATA_DIR = tmp_path
    client.force_login(make_user("rea", *READER))
    with atomic() as session:
        for workflow_id, tenant in (("w", SECRET), ("x", "another")):
            add_workflow(session, workflow_id, "PENDING", attributes=json.dumps({"tenant": tenant}))
    return client


@pytest.fixture
def viewer(make_user: Callable[..., Any]) -> Client:
    client = Client()
    client.force_login(make_user("viv", *VIEWER, "dboshub.share_view"))
    return client


def recorded() -> str:
    return json.dumps([[each.target, each.detail] for each in AuditEvent.objects.all()])


@pytest.mark.parametrize("query", FILTERS)
def test_a_bulk_job_shows_it_to_those_who_may_see_payloads(
    reader: Client, viewer: Client, query: str
) -> None:
    made = reader.post("/workflows/bulk/new/", {"verb": "cancel", "filter": query})
    assert made.status_code == 302
    job = BulkJob.objects.get()
    pages = ("/workflows/bulk/", f"/workflows/bulk/{job.pk}/")
    for page in pages:
        assert SECRET not in viewer.get(page).content.decode(), page
        assert "attr.tenant" in viewer.get(page).content.decode(), page
        assert SECRET in reader.get(page).content.decode(), page
    assert reader.post(pages[1], {"do": "start", "reason": "a test"}).status_code == 302
    events = AuditEvent.objects.filter(target_kind="bulk")
    assert {event.action for event in events} == {"bulk_freeze", "bulk_start"}
    assert SECRET not in recorded()
    assert SECRET not in viewer.get("/audit/").content.decode()


@pytest.mark.parametrize("query", FILTERS)
def test_the_audit_row_of_an_export_leaves_it_out(
    reader: Client, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "start_writing", lambda export: None)
    made = reader.post("/exports/new/", {"of": "workflows", "filter": query, "format": "csv"})
    assert made.status_code == 302
    assert AuditEvent.objects.filter(action="export", target__contains="attr.tenant").exists()
    assert SECRET not in recorded()


def test_a_shared_view_is_offered_to_those_who_may_see_payloads(
    reader: Client, viewer: Client
) -> None:
    owner = reader.session["_auth_user_id"]
    shared = {"owner_id": owner, "is_shared": True}
    view = SavedView.objects.create(name="acme", query=f"attr.tenant={SECRET}", **shared)
    SavedView.objects.create(name="failed ones", query="status=ERROR", **shared)
    assert SECRET in reader.get("/workflows/").content.decode()
    shown = viewer.get("/workflows/").content.decode()
    assert SECRET not in shown
    assert "failed ones" in shown
    assert SECRET not in viewer.post(f"/views/{view.pk}/delete/")["Location"]
