"""What the operator's rules name reaches no page and no download of those who may see payloads."""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic
from dboshub.workflows.search.criteria import parse
from dboshub.workflows.storage.sql import Statement
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


def pickle_text(value: Any) -> str:
    return base64.b64encode(pickle.dumps(value)).decode()


DEEP = "[" * 70 + json.dumps(GIVEN) + "]" * 70
# Values that hold the secret where a walk over the names of keys does not find it.
HIDING = {
    "broken JSON": (json.dumps(GIVEN)[:-1], "portable_json"),
    "broken pickle": (base64.b64encode(pickle.dumps(GIVEN)[:-3] + b"zz").decode(), "py_pickle"),
    "no base64": (json.dumps(GIVEN), "py_pickle"),
    "deep JSON": (DEEP, "portable_json"),
    "JSON of another language": (json.dumps(GIVEN)[:-1], "js_superjson"),
    "JSON in JSON": (json.dumps({"body": json.dumps(GIVEN)}), "portable_json"),
    "JSON in JSON, escaped": (
        json.dumps({"body": json.dumps(GIVEN).replace("password", "p\\u0061ssword")}),
        "portable_json",
    ),
    "an unknown format": (f"order=o-17 password={SECRET}", "yaml"),
    "pairs": (json.dumps({"headers": [["Authorization", SECRET], ["a", "b"]]}), "portable_json"),
    "names of bytes": (pickle_text({b"password": SECRET.encode()}), "py_pickle"),
    "escaped name": (
        json.dumps({"password": SECRET}).replace("pass", "p\\u0061ss"),
        "portable_json",
    ),
    "long": (json.dumps({"password": SECRET, "rest": "x" * 2_000_000}), "portable_json"),
}


@pytest.mark.parametrize("kind", HIDING)
def test_a_secret_that_no_key_leads_to_is_not_shown_either(reader: Client, kind: str) -> None:
    text, serialization = HIDING[kind]
    with atomic() as session:
        set_output = Statement("UPDATE {workflow_output} SET output = :text")
        session.run(set_output, text=text)
        set_format = Statement("UPDATE {workflow_status} SET serialization = :name")
        session.run(set_format, name=serialization)
    for page in (url("detail", "w"), url("value", "w", query="?of=output")):
        answer = reader.get(page)
        assert answer.status_code == 200
        assert SECRET not in answer.content.decode(), page
    assert reader.get(url("value", "w", query="?of=output&download=1")).status_code == 403


@pytest.mark.parametrize(
    "query",
    [
        "attr.password=h*",
        "attr.password=!x",
        "attr.login.Password=h*",
        "attr.api-key.value=-",
        "q=attr.password:h*",
        "and=attr.access_token:h*",
    ],
)
def test_no_filter_tells_what_a_redacted_attribute_holds(reader: Client, query: str) -> None:
    found = parse(QueryDict(query), now=now_ms(), attributes=True)
    assert found.attributes == []
    assert "redacted" in found.problems[0]
    assert "redacted" in reader.get(f"/workflows/?{query}").content.decode()


def test_another_attribute_is_a_filter(reader: Client) -> None:
    found = parse(QueryDict("attr.tenant=a*"), now=now_ms(), attributes=True)
    assert found.attributes == ["attr.tenant"]
    assert not found.problems
