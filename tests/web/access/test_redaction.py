"""What the operator's rules name reaches no page and no download of those who may see payloads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from dboshub.workflows.connection import atomic
from tests.support.runs import add_event, add_message, add_step, add_stream, add_workflow

pytestmark = pytest.mark.django_db

SECRET = "hunter2-is-secret"
GIVEN = {"order": "o-17", "password": SECRET}


@pytest.fixture
def reader(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(
        make_user("rea", "dboshub_workflows.view_workflow", "dboshub_workflows.view_payload")
    )
    with atomic() as session:
        add_workflow(session, "w", inputs=GIVEN, output=GIVEN)
        add_step(session, "w", 1, "charge", output=GIVEN)
        add_event(session, "w", "paid", GIVEN)
        add_message(session, "w", GIVEN)
        add_stream(session, "w", "out", GIVEN)
    return client


def url(name: str, *args: Any, query: str = "") -> str:
    return reverse(f"dboshub:workflows:{name}", args=args) + query


def test_pages_show_the_rest(reader: Client) -> None:
    pages = (
        url("detail", "w"),
        url("step", 1, "w"),
        url("stream", "w", query="?key=out"),
        url("value", "w", query="?of=input"),
        url("value", "w", query="?of=step&step=1"),
    )
    for page in pages:
        shown = reader.get(page).content.decode()
        assert "o-17" in shown, page
        assert "redacted" in shown, page
        assert SECRET not in shown, page


def test_only_a_superuser_downloads_what_is_redacted(
    reader: Client, make_user: Callable[..., Any]
) -> None:
    download = url("value", "w", query="?of=output&download=1")
    assert reader.get(download).status_code == 403
    reader.force_login(make_user("root", is_superuser=True))
    assert reader.get(download).status_code == 200


def test_without_rules_everything_is_shown_and_downloaded(reader: Client, settings: Any) -> None:
    settings.DBOSHUB_REDACT = []
    assert SECRET in reader.get(url("detail", "w")).content.decode()
    assert reader.get(url("value", "w", query="?of=output&download=1")).status_code == 200


def test_what_no_rule_names_is_downloaded(reader: Client) -> None:
    with atomic() as session:
        add_workflow(session, "plain", output={"order": "o-18"})
    assert reader.get(url("value", "plain", query="?of=output&download=1")).status_code == 200
