"""A run with its children as a download: who gets it, and what is in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from dboshub.workflows.connection import atomic
from dboshub.workflows.models import AuditEvent, ScopeRule
from dboshub.workflows.selectors import bundle
from dboshub.workflows.storage.control.export_format import unpack
from tests.support.runs import add_event, add_message, add_step, add_stream, add_workflow

pytestmark = pytest.mark.django_db

RIGHTS = ("dboshub_workflows.view_workflow", "dboshub_workflows.view_payload")


@pytest.fixture
def family(db: None) -> str:
    with atomic() as session:
        add_workflow(session, "order/1", "PENDING", inputs={"customer": 9003})
        add_step(session, "order/1", 1, "charge", output="receipt")
        add_step(session, "order/1", 2, "ship", child="order/1-2")
        add_event(session, "order/1", "stage", "paid", "sent")
        add_stream(session, "order/1", "log", "one", "two")
        add_message(session, "order/1", "go")
        add_workflow(session, "order/1-2", parent_workflow_id="order/1", application_name="mail")
        add_workflow(session, "other")
    return "order/1"


@pytest.fixture
def reader(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("rea", *RIGHTS))
    return client


def download(client: Client, workflow_id: str = "order/1") -> Any:
    return client.get(reverse("dboshub:workflows:bundle", args=[workflow_id]))


def test_a_bundle_holds_the_run_and_its_children(reader: Client, family: str) -> None:
    page = reader.get(reverse("dboshub:workflows:detail", args=[family])).content.decode()
    assert reverse("dboshub:workflows:bundle", args=[family]) in page
    response = download(reader)
    assert response["Content-Disposition"] == 'attachment; filename="bundle-order_1.txt"'
    assert response["Cache-Control"] == "no-store"
    tables = unpack(response.content.decode())
    assert [row["workflow_uuid"] for row in tables["workflow_status"]] == ["order/1", "order/1-2"]
    assert {table: len(rows) for table, rows in tables.items()} == {
        "workflow_status": 2,
        "workflow_input": 2,
        "workflow_output": 1,
        "operation_outputs": 2,
        "workflow_events": 1,
        "workflow_events_history": 2,
        "streams": 2,
        "notifications": 1,
    }
    event = AuditEvent.objects.get(action="export")
    assert (event.target, event.detail) == ("order/1", {"children": True})


def test_who_may_not_see_payloads_gets_none(
    client: Client, make_user: Callable[..., Any], family: str
) -> None:
    client.force_login(make_user("viv", RIGHTS[0]))
    page = client.get(reverse("dboshub:workflows:detail", args=[family])).content.decode()
    assert reverse("dboshub:workflows:bundle", args=[family]) not in page
    assert download(client).status_code == 403
    assert not AuditEvent.objects.filter(action="export").exists()


def test_what_holds_redacted_values_is_for_superusers(reader: Client, family: str) -> None:
    with atomic() as session:
        add_event(session, "order/1-2", "login", {"password": "hunter2"})
    refused = download(reader)
    assert refused.status_code == 403
    assert "only a superuser" in refused.content.decode()
    reader.force_login(get_user_model().objects.create_superuser("root", password=None))
    assert download(reader).status_code == 200


def test_redacted_attributes_count(reader: Client) -> None:
    with atomic() as session:
        add_workflow(session, "w", attributes='{"api_token": "t"}')
        add_workflow(session, "v", attributes='{"tenant": "t"}')
    assert [download(reader, each).status_code for each in ("w", "v")] == [403, 200]


def test_children_of_other_applications_are_not_given_away(
    client: Client, make_user: Callable[..., Any], family: str
) -> None:
    user, group = make_user("sam", *RIGHTS), Group.objects.create(name="team shop")
    user.groups.add(group)
    ScopeRule.objects.create(group=group, application="shop")
    client.force_login(user)
    refused = download(client)
    assert refused.status_code == 403
    assert "applications you may not see" in refused.content.decode()
    assert download(client, "order/1-2").status_code == 404


@pytest.mark.parametrize(
    ("limit", "most"), [("MAX_WORKFLOWS", 1), ("MAX_ROWS", 1), ("MAX_CHARACTERS", 100)]
)
def test_what_is_too_large_is_refused_before_it_is_read(
    reader: Client, family: str, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    monkeypatch.setattr(bundle, limit, most)
    refused = download(reader)
    assert refused.status_code == 422
    assert "There is no bundle of this run" in refused.content.decode()
    assert "export it from a terminal" in refused.content.decode()
