"""JSON that another program wrote into a row is read with limits: what cannot be read is missing
on the page, and no page answers 500."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from dboshub.schedules.models import Schedule
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic
from dboshub.workflows.models import ApplicationVersion, Executor
from dboshub.workflows.storage.sql import Session, Statement
from tests.support.runs import add_workflow
from tests.web.test_hostile_content import _set, pages
from tests.web.workflows.test_detail import add_everything, addresses

pytestmark = pytest.mark.django_db


def signature(**given: Any) -> str:
    return json.dumps({"checkout": given})


DEEP = "[" * 60_000 + "]" * 60_000
DEEP_OBJECT = '{"checkout":' * 60_000 + "1" + "}" * 60_000
JSON = {
    "deep array": DEEP,
    "deep object": DEEP_OBJECT,
    "deep for Python alone": '{"checkout":' * 2_000 + "1" + "}" * 2_000,
    "long digits": '{"checkout": ' + "9" * 10_000 + "}",
    "not a number": '{"checkout": NaN, "parameters": Infinity}',
    "lone surrogate": '{"checkout": {"doc": "\\ud800"}, "\\udfff": "\\ud800"}',
    "a number": "7",
    "nothing": "null",
    "empty": "",
    "truncated": '{"checkout": {"doc": "',
}
# What executors publish and pages take apart, each part of an unexpected type.
SIGNATURES = {
    "a list": json.dumps({"checkout": [1]}),
    "doc of lists": signature(doc=[[["x"]]], parameters={"properties": {"a": {"type": ["x"]}}}),
    "properties as list": signature(parameters={"properties": ["a"], "required": 3}),
    "required of objects": signature(parameters={"properties": {"a": {}}, "required": {"a": 1}}),
    "union of numbers": signature(parameters={"properties": {"a": {"anyOf": [1, None]}}}),
    "union as number": signature(parameters={"properties": {"a": {"anyOf": 7}}}),
    "deep union": '{"checkout": {"parameters": {"properties": {"a": '
    + '{"anyOf": [' * 400
    + "{}"
    + "]}" * 400
    + "}}}}",
    "enum of objects": signature(parameters={"properties": {"a": {"enum": [{}, [], 1e999]}}}),
    "title as object": signature(parameters={"properties": {"a": {"title": {}, "anyOf": [{}]}}}),
    "instances of objects": signature(**{"class": {}, "instances": [{}, None]}),
    "parameter without name": signature(parameters={"properties": {"": {"x-default": []}}}),
}


@pytest.fixture
def root(client: Client, settings: Any, tmp_path: Path) -> Client:
    settings.DBOSHUB_DATA_DIR = tmp_path
    client.force_login(get_user_model().objects.create_superuser("root", password=None))
    client.raise_request_exception = False
    Executor.objects.create(
        incarnation="e1", executor_id="e1", last_beat_at=now_ms(), lease_ms=3_600_000
    )
    ApplicationVersion.objects.create(version_id="v", version_name="v1", version_timestamp=1)
    return client


def write_everywhere(session: Session, text: str) -> None:
    for column in ("functions", "activity", "queues"):
        _set(session, "dboshub_executor", column, text)
    for column in ("authenticated_roles", "request", "inputs", "output", "error"):
        _set(session, "workflow_status", column, text)
    if text and "\\u" not in text and "NaN" not in text:
        set_attributes(session, text)


def set_attributes(session: Session, text: str) -> None:
    """As other programs write it: SQLite stores any text, PostgreSQL only JSON."""
    if session.vendor == "postgresql":
        try:
            json.loads(text)
        except ValueError:
            return
        except RecursionError:
            if text in (DEEP, DEEP_OBJECT):
                return  # too deep for PostgreSQL itself
    session.run(
        Statement(
            postgres="UPDATE {workflow_status} SET attributes = CAST(:value AS jsonb)",
            sqlite="UPDATE {workflow_status} SET attributes = :value",
        ),
        value=text,
    )


def failing(client: Client) -> list[str]:
    filtered = [f"/workflows/?{query}" for query in ("attr.a=1", "attr.checkout=x*", "attr.a=-")]
    known = [each for each in addresses("w") if "download" not in each]
    admin = ["/admin/dboshub_workflows/workflow/w/change/", "/admin/dboshub_workflows/executor/"]
    asked = [*pages(), *known, *filtered, *admin, "/workflows/start/checkout"]
    return [each for each in asked if client.get(each, follow=True).status_code >= 500]


@pytest.mark.parametrize("kind", JSON)
def test_json_in_any_column_breaks_no_page(root: Client, kind: str) -> None:
    add_everything("w", "value", "ERROR")
    Schedule.objects.create(
        schedule_id="s",
        schedule_name="s",
        workflow_name="checkout",
        schedule="* * * * *",
        context=JSON[kind],
    )
    with atomic() as session:
        add_workflow(session, "waiting", "PENDING", executor_id="e1")
        write_everywhere(session, JSON[kind])
    assert failing(root) == []


@pytest.mark.parametrize("kind", SIGNATURES)
def test_a_published_signature_of_any_shape_breaks_no_page(root: Client, kind: str) -> None:
    Executor.objects.update(functions=SIGNATURES[kind])
    for address in ("/workflows/start/", "/workflows/start/checkout", "/workflows/executors/"):
        assert root.get(address, follow=True).status_code < 500, address
    answer = root.post("/workflows/start/checkout", {"arg:a": "1"}, follow=True)
    assert answer.status_code < 500
