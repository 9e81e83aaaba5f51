"""Acting on a workflow by pages that work without scripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from dboshub.workflows.connection import atomic
from dboshub.workflows.forms.workflow_forms import FORMS
from dboshub.workflows.models import AuditEvent, Message, Step, Workflow
from tests.support.runs import add_step, add_workflow, insert

pytestmark = pytest.mark.django_db

ID = "order/7 🐒"
VERBS = sorted(FORMS)
SENT = {"step": "1", "topic": "paid", "value": "1"}


@pytest.fixture
def operator(client: Client, make_user: Callable[..., Any]) -> Client:
    permissions = [form.permission for form in FORMS.values()]
    client.force_login(make_user("olga", "dboshub_workflows.view_workflow", *permissions))
    return client


@pytest.fixture
def viewer(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("viv", "dboshub_workflows.view_workflow"))
    return client


def add(status: str = "PENDING", **columns: Any) -> None:
    with atomic() as session:
        add_workflow(session, ID, status, **columns)
        for number in (1, 2, 3):
            add_step(session, ID, number, "charge", error=ValueError() if number == 3 else None)


def do(client: Client, verb: str, **data: str) -> Any:
    return client.post(reverse("dboshub:workflows:do", args=[verb, ID]), data)


def status() -> str | None:
    return Workflow.objects.get(pk=ID).status


def said(response: HttpResponse) -> str:
    return response.content.decode()


@pytest.mark.parametrize("verb", VERBS)
def test_each_action_asks_first_and_changes_nothing(operator: Client, verb: str) -> None:
    add()
    response = operator.get(reverse("dboshub:workflows:do", args=[verb, ID]))
    assert response.status_code == 200
    assert FORMS[verb].title in said(response)
    assert 'name="reason"' in said(response)
    assert status() == "PENDING"
    assert not AuditEvent.objects.exists()


def test_cancelling_stops_it_and_keeps_the_reason(operator: Client) -> None:
    add()
    response = do(operator, "cancel", reason="wrong customer")
    assert response["Location"] == reverse("dboshub:workflows:detail", args=[ID])
    assert status() == "CANCELLED"
    event = AuditEvent.objects.get()
    assert (event.action, event.outcome, event.reason) == ("cancel", "done", "wrong customer")
    assert "Resume goes on after its last completed step" in said(
        operator.get(response["Location"])
    )


def test_cancelling_takes_the_children_only_if_told_to(operator: Client) -> None:
    add()
    with atomic() as session:
        add_workflow(session, "child", "PENDING", parent_workflow_id=ID)
    do(operator, "cancel", children="on")
    assert Workflow.objects.get(pk="child").status == "CANCELLED"


def test_resuming_onto_a_queue(operator: Client) -> None:
    add("CANCELLED")
    with atomic() as session:
        insert(session, "queues", queue_id="q", name="orders")
    do(operator, "resume", queue="orders")
    assert (status(), Workflow.objects.get(pk=ID).queue_name) == ("ENQUEUED", "orders")


def test_resuming_offers_the_queue_that_it_came_from(operator: Client) -> None:
    address = reverse("dboshub:workflows:do", args=["resume", ID])
    add(queue_name="orders")
    with atomic() as session:
        insert(session, "queues", queue_id="q", name="orders")
    do(operator, "cancel")
    offered = said(operator.get(address))
    assert '<option value="orders" selected>' in offered
    assert "It came from this one." in offered

    Workflow.objects.update(completed_at=5)
    unknown = said(operator.get(address))
    assert '<option value="orders" selected>' not in unknown
    assert "Nothing says which queue it came from." in unknown


def test_forking_leads_to_the_fork(operator: Client) -> None:
    add("ERROR")
    response = do(operator, "fork", step="3")
    fork = Workflow.objects.get(forked_from=ID)
    assert response["Location"] == reverse("dboshub:workflows:detail", args=[fork.pk])
    assert Step.objects.filter(workflow_uuid=fork.pk).count() == 2


def test_a_fork_begins_at_the_step_asked_for_or_the_one_that_failed(operator: Client) -> None:
    add("ERROR")
    address = reverse("dboshub:workflows:do", args=["fork", ID])
    assert 'value="3"' in said(operator.get(address))
    assert 'value="2"' in said(operator.get(f"{address}?step=2"))


def test_deleting_leads_to_the_list(operator: Client) -> None:
    add("ERROR")
    assert do(operator, "delete")["Location"] == reverse("dboshub:workflows:list")
    assert not Workflow.objects.exists()


def test_a_message_is_sent_as_plain_data(operator: Client) -> None:
    add()
    do(operator, "send", topic="paid", value='{"id": 12345678901234567890}')
    message = Message.objects.get()
    assert (message.destination_uuid, message.topic) == (ID, "paid")


@pytest.mark.parametrize("value", ["", "paid", "{", "NaN", "[" * 100_000])
def test_what_is_no_json_is_not_sent(operator: Client, value: str) -> None:
    add()
    response = do(operator, "send", value=value)
    assert response.status_code == 422
    assert "field-error" in said(response)
    assert not Message.objects.exists()


@pytest.mark.parametrize("step", ["", "x", "-1", "99999999999999"])
def test_a_step_that_is_none_is_not_forked_from(operator: Client, step: str) -> None:
    add("ERROR")
    assert do(operator, "fork", step=step).status_code == 422
    assert Workflow.objects.count() == 1


@pytest.mark.parametrize(
    ("verb", "before", "advice"),
    [
        ("cancel", "SUCCESS", "Fork it to run it again"),
        ("cancel", "CANCELLED", "Resume it to go on"),
        ("resume", "ERROR", "Fork it to run it again"),
        ("delete", "PENDING", "Cancel what is active"),
        ("send", "SUCCESS", "send the message to the fork"),
    ],
)
def test_a_refusal_says_what_to_do_instead(
    operator: Client, verb: str, before: str, advice: str
) -> None:
    add(before)
    response = do(operator, verb, **SENT)
    assert response.status_code == 409
    assert advice in said(response)
    assert status() == before
    assert AuditEvent.objects.get().outcome == "refused"


@pytest.mark.parametrize("verb", VERBS)
def test_without_the_permission_it_is_explained_refused_and_audited(
    viewer: Client, verb: str
) -> None:
    add("PENDING" if verb != "delete" else "ERROR")
    before = status()
    response = viewer.get(reverse("dboshub:workflows:do", args=[verb, ID]))
    assert response.status_code == 403
    assert FORMS[verb].permission in said(response)
    assert 'name="reason"' not in said(response)
    response = do(viewer, verb, **SENT)
    assert response.status_code == 403
    assert status() == before
    event = AuditEvent.objects.get()
    assert (event.action, event.username, event.outcome) == (verb, "viv", "refused")


@pytest.mark.parametrize("verb", VERBS)
def test_what_was_deleted_meanwhile_is_a_page_that_says_so(operator: Client, verb: str) -> None:
    response = do(operator, verb, **SENT)
    assert response.status_code == 404
    assert "No such workflow" in said(response)


def test_an_action_needs_its_token(make_user: Callable[..., Any]) -> None:
    add()
    client = Client(enforce_csrf_checks=True)
    client.force_login(
        make_user("olga", "dboshub_workflows.view_workflow", "dboshub_workflows.cancel_workflow")
    )
    assert do(client, "cancel").status_code == 403
    assert status() == "PENDING"


def test_the_page_offers_what_its_state_allows_and_says_what_is_not_permitted(
    viewer: Client,
) -> None:
    add()
    html = said(viewer.get(reverse("dboshub:workflows:detail", args=[ID])))
    assert 'data-needs="cancel"' in html
    assert 'data-needs="delete"' not in html
    assert 'data-may=""' in html
    assert "may look but not cancel, resume, fork, delete, send" in html
    assert "<textarea" not in html
