"""How pages show a workflow that has left memory while it waits, beside a delayed start."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic
from tests.support.runs import T0, add_step, add_workflow, insert

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("viv", "dboshub_workflows.view_workflow"))
    return client


@pytest.fixture(autouse=True)
def rows(db: None) -> None:
    later = now_ms() + 3_600_000
    with atomic() as session:
        due = {"status": "DELAYED", "delay_until_epoch_ms": later}
        add_workflow(session, "begins", **due)
        for each in ("sleeps", "receives", "awaits"):
            add_workflow(session, each, started_at_epoch_ms=T0 + 100, **due)
        add_step(session, "sleeps", 1, "DBOS.sleep", 200, later - T0)
        add_step(session, "receives", 2, "DBOS.sleep", 200, later - T0)
        waits = (("receives", "message", "receives", "letters"), ("awaits", "result", "sleeps", ""))
        for each, kind, target, name in waits:
            insert(
                session, "dboshub_wait", kind=kind, target=target, name=name,
                workflow_uuid=each, created_at=T0,
            )  # fmt: skip


def page(client: Client, name: str, *arguments: str) -> str:
    response = client.get(reverse(f"dboshub:workflows:{name}", args=arguments))
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


@pytest.mark.parametrize(
    ("workflow_id", "says"),
    [
        ("sleeps", "Sleeping, ends"),
        ("receives", "Waiting for a message on the topic letters, ends"),
        ("awaits", "Waiting for the result of sleeps. "),
        ("begins", "Delayed; it is enqueued"),
    ],
)
def test_the_page_of_a_workflow_says_what_it_waits_for(
    viewer: Client, workflow_id: str, says: str
) -> None:
    text = page(viewer, "detail", workflow_id)
    assert says in text
    assert ("It is suspended" in text) == ("Enqueued again" in text) == (workflow_id != "begins")
    waited = re.search(r"Waited in queue</dt> <dd> <[^>]+>100 ms", text)
    assert bool(waited) == (workflow_id != "begins")


def test_the_timeline_shows_a_wait_that_no_step_records(viewer: Client) -> None:
    assert "Waiting for the result of sleeps</bdi>" in page(viewer, "detail", "awaits")
    assert "Waiting for a message" not in page(viewer, "steps", "receives")


def test_the_table_of_steps_says_that_the_end_of_a_sleep_may_not_be_reached(
    viewer: Client,
) -> None:
    assert "<td>up to " in page(viewer, "steps", "sleeps")


def test_the_list_tells_suspended_workflows_from_delayed_starts(viewer: Client) -> None:
    text = page(viewer, "list")
    assert text.count(">suspended ") == 3
    assert text.count(">due ") == 1
