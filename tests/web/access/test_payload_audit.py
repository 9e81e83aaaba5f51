"""Who saw payloads is in the audit log: once for each person, target and stretch of time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.urls import reverse

from dboshub.workflows.actions import payload_audit
from dboshub.workflows.connection import atomic
from dboshub.workflows.models import AuditEvent
from dboshub.workflows.page_cache import page_cache
from tests.support.runs import add_workflow
from tests.web.workflows.test_detail import MARKER, add_everything

pytestmark = pytest.mark.django_db

DETAIL = "/workflows/run/w"


@pytest.fixture(autouse=True)
def stored() -> None:
    page_cache().clear()
    add_everything("w", MARKER, "ERROR")


@pytest.fixture
def reader(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(
        make_user("rea", "dboshub_workflows.view_workflow", "dboshub_workflows.view_payload")
    )
    return client


def rows() -> list[tuple[str, str, str]]:
    events = AuditEvent.objects.exclude(target_kind="page").order_by("pk")
    return [(each.username, each.action, each.target) for each in events]


def test_looking_at_a_workflow_leaves_one_row_however_often_and_wherever_one_looks(
    reader: Client,
) -> None:
    value = f"{reverse('dboshub:workflows:value', args=['w'])}?of=input"
    step = reverse("dboshub:workflows:step", kwargs={"workflow_id": "w", "function_id": 1})
    for address in (DETAIL, value, DETAIL, step, value):
        assert reader.get(address).status_code == 200
    assert rows() == [("rea", "view payload", "w")]
    event = AuditEvent.objects.get()
    assert (event.outcome, event.address, event.detail) == ("done", "127.0.0.1", {})


def test_another_process_adds_no_second_row_and_a_later_look_does(
    reader: Client,
) -> None:
    reader.get(DETAIL)
    page_cache().clear()
    reader.get(DETAIL)
    assert len(rows()) == 1
    page_cache().clear()
    event = AuditEvent.objects.get()
    event.at -= payload_audit.ONE_ROW_PER_MS
    event.save()
    reader.get(DETAIL)
    assert len(rows()) == 2


def test_each_person_and_each_workflow_counts(
    reader: Client, make_user: Callable[..., Any]
) -> None:
    with atomic() as session:
        add_workflow(session, "x", "ERROR")
    reader.get(DETAIL)
    reader.get("/workflows/run/x")
    reader.force_login(
        make_user("eve", "dboshub_workflows.view_workflow", "dboshub_workflows.view_payload")
    )
    reader.get(DETAIL)
    assert rows() == [
        ("rea", "view payload", "w"),
        ("rea", "view payload", "x"),
        ("eve", "view payload", "w"),
    ]


def test_who_sees_no_payload_leaves_no_row(client: Client, make_user: Callable[..., Any]) -> None:
    client.force_login(
        make_user("bob", "dboshub_workflows.view_workflow", "dboshub_workflows.cancel_workflow")
    )
    assert client.get(DETAIL).status_code == 200
    assert (
        client.get(f"{reverse('dboshub:workflows:value', args=['w'])}?of=input").status_code == 403
    )
    assert rows() == []


def test_asking_to_cancel_and_what_is_not_there_show_no_payload(
    reader: Client, make_user: Callable[..., Any]
) -> None:
    assert reader.get("/workflows/").status_code == 200
    assert reader.get("/workflows/run/none").status_code == 404
    assert (
        reader.get(f"{reverse('dboshub:workflows:value', args=['w'])}?of=nonsense").status_code
        == 404
    )
    assert reader.get(reverse("dboshub:workflows:do", args=["cancel", "w"])).status_code == 403
    assert rows() == []


def test_filling_a_form_with_what_an_earlier_run_was_given_is_a_look_at_it(
    reader: Client,
) -> None:
    with atomic() as session:
        add_workflow(session, "before", "SUCCESS", inputs="grace")
    start = reverse("dboshub:workflows:start", args=["checkout"])
    reader.get(start)
    assert rows() == []
    assert "grace" in reader.get(f"{start}?like=before").content.decode()
    assert rows() == [("rea", "view payload", "before")]


def test_a_download_has_a_row_of_its_own_each_time(reader: Client) -> None:
    for _ in range(2):
        reader.get(f"{reverse('dboshub:workflows:value', args=['w'])}?of=input&download")
    assert rows() == [("rea", "download", "w")] * 2


def test_what_cannot_be_recorded_is_not_shown(reader: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE dboshub_audit_event RENAME TO away")
    with pytest.raises(DatabaseError):
        reader.get(DETAIL)
