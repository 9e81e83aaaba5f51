"""Starting a run again: its arguments in fields, nested ones too, checked where they are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from dboshub.queues.models import Queue
from dboshub.workflows.connection import atomic
from dboshub.workflows.models import Workflow, WorkflowInput
from dboshub.workflows.payloads import read
from dboshub.workflows.selectors.startable import arguments_of
from dboshub.workflows.storage.sql import Session, Statement
from tests.support.forms import filled
from tests.support.runs import add_workflow, pickled
from tests.web.workflows.test_start import START, VIEW, publish, url

pytestmark = pytest.mark.django_db

ADDRESS = {
    "type": "object",
    "title": "Address",
    "properties": {"street": {"type": "string"}, "zip": {"type": "integer"}},
    "required": ["street", "zip"],
}
SIGNATURE = {
    "parameters": {
        "type": "object",
        "properties": {
            "customer": {"type": "string"},
            "to": ADDRESS,
            "back_to": {**ADDRESS, "x-default": "None"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "sizes": {"type": "array", "items": {"type": "integer"}, "default": []},
            "extra": {"type": "object"},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
            "lines": {"type": "array", "items": ADDRESS},
        },
        "required": ["customer", "to", "tags", "extra", "lines"],
        "additionalProperties": False,
    }
}
ORDER = {
    "customer": "ada",
    "to": {"street": "Main", "zip": 12345},
    "tags": ["new", "gift"],
    "extra": {"depth": {"a/b": 1.5, "paid": True}, "~": "x", "nothing": None},
    "lines": [{"street": "Side", "zip": 1}],
}


@pytest.fixture
def operator(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("ops", VIEW, START, "dboshub_workflows.view_payload"))
    return client


def like(workflow_id: str = "before", more: str = "") -> str:
    return url(query=f"?app=shop&like={workflow_id}{more}")


def begin(**given: Any) -> None:
    publish(signature=SIGNATURE)
    with atomic() as session:
        add_workflow(session, "before", **given)
        set_inputs(session, {"args": (), "kwargs": ORDER})


def set_inputs(session: Session, envelope: Any) -> None:
    session.run(Statement("UPDATE {workflow_input} SET inputs = :text"), text=pickled(envelope))


def given_to_the_new_run() -> dict[str, Any]:
    row = Workflow.objects.exclude(pk="before").get()
    stored = WorkflowInput.objects.get(workflow_uuid=row.pk)
    args, kwargs = arguments_of(read(stored.inputs, row.serialization))
    assert args == []
    return kwargs


def test_a_run_has_a_link_that_starts_it_again(operator: Client) -> None:
    begin(queue_name="orders")
    Queue.objects.create(queue_id="1", name="orders")
    html = operator.get(reverse("dboshub:workflows:detail", args=["before"])).content.decode()
    assert f'href="{like().replace("&", "&amp;")}" data-needs="start"' in html
    page = operator.get(like())
    assert page.context["form"]["queue"].value() == "orders"


def test_what_is_posted_unchanged_is_what_was_given(operator: Client) -> None:
    begin()
    page = operator.get(like())
    html = page.content.decode()
    assert html.count("<fieldset") == 6  # to, back_to, extra, lines, and what is in these two
    names = ("arg:to/street", "arg:to/zip", "arg:extra/depth/a~1b", "arg:extra/~0", "arg:tags")
    for name in (*names, "arg:lines/1/street"):
        assert f'name="{name}"' in html, name
    assert operator.post(like(), filled(page)).status_code == 302
    assert given_to_the_new_run() == ORDER


def test_what_is_changed_in_a_field_is_given(operator: Client) -> None:
    begin()
    changed = filled(operator.get(like())) | {
        "arg:to/street": "Other",
        "arg:back_to/street": "Back",
        "arg:back_to/zip": "7",
        "arg:tags": "one\r\ntwo words\r\n",
        "arg:sizes": "[1, 2]",
        "arg:extra/depth/a~1b": "2",
        "arg:note": "",
        "arg:lines/1/zip": "2",
    }
    assert operator.post(like(), changed).status_code == 302
    assert given_to_the_new_run() == ORDER | {
        "to": {"street": "Other", "zip": 12345},
        "back_to": {"street": "Back", "zip": 7},
        "tags": ["one", "two words"],
        "sizes": [1, 2],
        "extra": {"depth": {"a/b": 2.0, "paid": True}, "~": "x", "nothing": None},
        "lines": [{"street": "Side", "zip": 2}],
    }


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("arg:to/zip", "north", "Enter a whole number."),
        ("arg:to/zip", "", "This field is required."),
        ("arg:back_to/zip", "7", "This is required."),
        ("arg:sizes", "1\nb", "Line 2 must be a whole number."),
        ("arg:sizes", '["b"]', "[0]: This must be a whole number."),
        ("arg:extra/depth/paid", "perhaps", "Select a valid choice."),
        ("arg:lines/1/zip", "north", "Enter a whole number."),
        ("arg:lines/1/zip", "", "This field is required."),
    ],
)
def test_a_wrong_type_is_refused_at_its_field(
    operator: Client, field: str, value: str, said: str
) -> None:
    begin()
    page = operator.post(like(), filled(operator.get(like())) | {field: value})
    assert page.status_code == 422
    errors = page.context["form"].errors
    missing = "arg:back_to/street" if field == "arg:back_to/zip" else field
    assert [*errors] == [missing]
    assert said in errors[missing][0]
    assert Workflow.objects.count() == 1


def test_as_json_every_argument_is_free(operator: Client) -> None:
    begin()
    page = operator.get(like(more="&json=1"))
    changed = filled(page) | {"arg:extra": '{"other": []}', "arg:customer": '"two\\nlines"'}
    assert operator.post(like(more="&json=1"), changed).status_code == 302
    assert given_to_the_new_run() == ORDER | {"extra": {"other": []}, "customer": "two\nlines"}
    for name, value, said in (
        ("customer", "7", "This must be text."),
        ("lines", '[{"street": "x", "zip": "1"}]', "[0].zip: This must be a whole number."),
        ("lines", '[{"street": "x"}]', "[0].zip: This is required."),
        ("lines", "7", "This must be an array"),
    ):
        refused = operator.post(like(more="&json=1"), filled(page) | {f"arg:{name}": value})
        assert said in refused.context["form"].errors[f"arg:{name}"][0]


def test_without_a_signature_the_fields_are_those_of_the_run(operator: Client) -> None:
    with atomic() as session:
        add_workflow(session, "before", name="ts/fn")
        order = {"id": 9003, "to": {"zip": 1}, "lines": [{"of": "a", "n": 1}, {"of": "b"}]}
        set_inputs(session, {"args": (order, "x"), "kwargs": {"n": 1}})
    to = reverse("dboshub:workflows:start", args=["ts/fn"]) + "?like=before"
    changed = filled(operator.get(to)) | {"arg:*/1/to/zip": "2", "arg:*/1/lines/1/n": "5"}
    assert operator.post(to, changed).status_code == 302
    row = Workflow.objects.exclude(pk="before").get()
    stored = WorkflowInput.objects.get(workflow_uuid=row.pk)
    found = arguments_of(read(stored.inputs, row.serialization))
    lines = [{"of": "a", "n": 5}, {"of": "b"}]
    assert found == ([{"id": 9003, "to": {"zip": 2}, "lines": lines}, "x"], {"n": 1})


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"password": "hunter2"}, "it holds a redacted value"),
        ({1, 2}, "it holds a value of type set"),
        (ValueError("x"), "an object of builtins.ValueError"),
        ("x" * 20_000, "it has more than 16 KiB"),
    ],
)
def test_why_it_cannot_be_copied_is_said(operator: Client, value: Any, why: str) -> None:
    publish(signature=SIGNATURE)
    with atomic() as session:
        add_workflow(session, "before", inputs=value)
    assert why in operator.get(like()).context["like"].problem


def test_without_the_permission_to_see_payloads_nothing_is_copied(
    client: Client, make_user: Callable[..., Any]
) -> None:
    begin()
    client.force_login(make_user("viv", VIEW, START))
    page = client.get(like())
    assert "view payload" in page.context["like"].problem
    assert "12345" not in page.content.decode()


@pytest.mark.parametrize("shape", ["{", "[]", '{"extra": {"type": "object", "properties": 7}}'])
def test_a_shape_that_is_none_does_no_harm(operator: Client, shape: str) -> None:
    begin()
    given = {"shape": shape, "arg:customer": "ada", "arg:extra": "{}", "arg:lines": "[]"}
    answer = operator.post(url(), given | {"arg:to/street": "a", "arg:to/zip": "1"})
    assert answer.status_code == 302
