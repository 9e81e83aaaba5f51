"""Forking a run with changed input or with a changed result of a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from dboshub.queues.models import Queue
from dboshub.workflows.connection import atomic
from dboshub.workflows.models import AuditEvent, ScopeRule, Step, Workflow, WorkflowInput
from dboshub.workflows.page_cache import page_cache
from dboshub.workflows.payloads import read
from dboshub.workflows.payloads.inline import inline
from dboshub.workflows.payloads.plain_values import plain
from dboshub.workflows.selectors.startable import arguments_of
from tests.support.forms import filled
from tests.support.runs import add_step, add_workflow
from tests.web.workflows.test_start import publish

pytestmark = pytest.mark.django_db

W = "dboshub_workflows"
RIGHTS = (f"{W}.view_workflow", f"{W}.view_payload", f"{W}.edit_run")
ORDER = {"customer": "ada", "items": [1, 2], "to": {"zip": 1}}
CHARGED = {"amount": 30, "ok": False}


@pytest.fixture
def editor(client: Client, make_user: Callable[..., Any]) -> Client:
    page_cache().clear()  # which remembers who looked at what, in another test
    client.force_login(make_user("edi", *RIGHTS, f"{W}.view_auditevent"))
    return client


@pytest.fixture
def run(db: None) -> str:
    with atomic() as session:
        add_workflow(session, "order/1", "ERROR", inputs=ORDER, error=ValueError("declined"))
        add_step(session, "order/1", 1, "charge", output=CHARGED)
        add_step(session, "order/1", 2, "pack", child="order/1-2")
        add_step(session, "order/1", 3, "DBOS.getResult", child="order/1-2", output=5)
        add_step(session, "order/1", 4, "ship", error=ValueError("no van"))
        add_step(session, "order/1", 5, "DBOS.sleep", output=1.5)
    return "order/1"


def url(query: str = "", workflow_id: str = "order/1") -> str:
    return reverse("dboshub:workflows:edit", args=[workflow_id]) + query


def preview(client: Client, query: str = "", **changes: str) -> Any:
    page = client.get(url(query))
    return client.post(url(query), filled(page) | {"preview": "1"} | changes)


def confirm(client: Client, shown: Any, query: str = "", **more: str) -> Any:
    assert shown.status_code == 200, shown.context["form"].errors
    posted = dict(shown.context["posted"])
    return client.post(url(query), posted | {"confirm": "1"} | more)


def fork() -> Workflow:
    return Workflow.objects.get(forked_from="order/1")


def test_a_page_leads_to_its_changes(editor: Client, run: str) -> None:
    page = editor.get(reverse("dboshub:workflows:detail", args=[run])).content.decode()
    assert f'href="{url()}" data-needs="edit"' in page
    step = editor.get(reverse("dboshub:workflows:step", args=[1, run])).content.decode()
    assert f'href="{url("?step=1")}" data-needs="edit"' in step


def test_input_is_changed_in_a_fork_once_it_is_confirmed(editor: Client, run: str) -> None:
    shown = preview(editor, **{"arg:*/1/to/zip": "2", "reason": "wrong zip"})
    html = shown.content.decode()
    assert "What changes" in html
    assert [step.name for step in shown.context["course"].again][:2] == ["charge", "pack"]
    assert not shown.context["course"].taken
    assert not Workflow.objects.filter(forked_from=run).exists()
    answer = confirm(editor, shown)
    made = fork()
    assert answer["Location"] == reverse("dboshub:workflows:detail", args=[made.pk])
    assert (made.status, made.queue_name) == ("ENQUEUED", "_dbos_internal_queue")
    stored = WorkflowInput.objects.get(workflow_uuid=made.pk).inputs
    assert made.serialization == "py_pickle"
    args, kwargs = arguments_of(read(stored, made.serialization))
    assert (args, kwargs) == ([{**ORDER, "to": {"zip": 2}}], {})
    assert not Step.objects.filter(workflow_uuid=made.pk).exists()
    before = WorkflowInput.objects.get(workflow_uuid=run).inputs
    assert "'zip': 1" in inline(read(before, "py_pickle"), 500).replace('"', "'")


def test_input_can_be_changed_from_a_later_step_on(editor: Client, run: str) -> None:
    shown = preview(editor, **{"arg:*/1/customer": "bob", "start_step": "3"})
    assert [step.name for step in shown.context["course"].taken] == ["charge", "pack"]
    confirm(editor, shown)
    names = Step.objects.filter(workflow_uuid=fork().pk).order_by("function_id")
    assert [each.function_name for each in names] == ["charge", "pack"]


def test_a_result_is_changed_and_what_follows_runs_again(editor: Client, run: str) -> None:
    Queue.objects.create(queue_id="1", name="orders")
    shown = preview(editor, "?step=1", **{"arg:result/ok": "true", "queue": "orders"})
    course = shown.context["course"]
    assert [step.function_id for step in course.taken] == [1]
    assert [step.function_id for step in course.again] == [2, 3, 4, 5]
    assert "with your result" in shown.content.decode()
    confirm(editor, shown, "?step=1")
    made = fork()
    assert made.queue_name == "orders"
    (step,) = Step.objects.filter(workflow_uuid=made.pk)
    assert plain(read(step.output, step.serialization)) == {"amount": 30, "ok": True}
    kept = Step.objects.get(workflow_uuid=run, function_id=1)
    assert plain(read(kept.output, kept.serialization)) == CHARGED


def test_a_failed_step_gets_the_result_that_it_should_have_had(editor: Client, run: str) -> None:
    shown = preview(editor, "?step=4", **{"arg:result": '{"van": 7}'})
    confirm(editor, shown, "?step=4")
    step = Step.objects.get(workflow_uuid=fork().pk, function_id=4)
    assert step.error is None
    assert plain(read(step.output, step.serialization)) == {"van": 7}


def test_the_result_of_a_child_is_changed_where_it_is_awaited(editor: Client, run: str) -> None:
    confirm(editor, preview(editor, "?step=3", **{"arg:result": "6"}), "?step=3")
    assert Step.objects.filter(workflow_uuid=fork().pk).count() == 3


@pytest.mark.parametrize(
    ("query", "why"),
    [("?step=2", "starts a child workflow"), ("?step=5", "no result to change")],
)
def test_what_has_no_result_of_its_own_is_refused(
    editor: Client, run: str, query: str, why: str
) -> None:
    page = editor.get(url(query))
    assert why in page.context["editable"].problem
    assert editor.post(url(query), {"arg:result": "1", "confirm": "1"}).status_code == 200
    assert not Workflow.objects.filter(forked_from=run).exists()
    assert editor.get(url("?step=9")).status_code == 404
    assert editor.get(url("?step=x")).status_code == 404


@pytest.mark.parametrize(
    ("query", "field", "value", "said"),
    [
        ("", "arg:*/1/to/zip", "north", "Enter a whole number."),
        ("?step=1", "arg:result/amount", "lots", "Enter a whole number."),
        ("?step=1", "arg:result/ok", "perhaps", "Select a valid choice."),
        ("?step=1&json=1", "arg:result", "{", "This is no JSON"),
    ],
)
def test_a_wrong_type_is_refused_at_its_field(
    editor: Client, run: str, query: str, field: str, value: str, said: str
) -> None:
    page = preview(editor, query, **{field: value})
    assert page.status_code == 422
    assert said in page.context["form"].errors[field][0]


def test_the_published_signature_decides_about_input(editor: Client, run: str) -> None:
    schema = {"type": "object", "properties": {"order": {"type": "object"}}, "required": ["order"]}
    publish(signature={"parameters": schema})
    free = preview(editor, "?json=1", **{"arg:order": "7"})
    assert "This must be an object" in free.context["form"].errors["arg:order"][0]
    confirm(editor, preview(editor, "?json=1", **{"arg:order": "{}"}), "?json=1")
    made = fork()
    stored = WorkflowInput.objects.get(workflow_uuid=made.pk).inputs
    assert arguments_of(read(stored, made.serialization)) == ([{}], {})


def test_without_a_change_there_is_nothing_to_confirm(editor: Client, run: str) -> None:
    for query in ("", "?step=1"):
        page = preview(editor, query)
        assert page.status_code == 422
        assert "Nothing is changed yet" in page.content.decode()


def test_one_can_go_back_from_the_preview(editor: Client, run: str) -> None:
    shown = preview(editor, **{"arg:*/1/customer": "bob"})
    again = editor.post(url(), dict(shown.context["posted"]) | {"again": "1"})
    assert again.context["form"]["arg:*/1/customer"].value() == "bob"


def test_what_only_its_owner_writes_becomes_portable(editor: Client) -> None:
    with atomic() as session:
        add_workflow(session, "order/1", name="ts/fn", serialization="js_superjson")
    WorkflowInput.objects.update(inputs='{"positionalArgs":[1]}')
    shown = preview(editor, **{"arg:*/1": "2"})
    assert "written as portable JSON" in shown.content.decode()
    confirm(editor, shown)
    made = fork()
    assert made.serialization == "portable_json"
    stored = WorkflowInput.objects.get(workflow_uuid=made.pk).inputs
    assert stored == '{"positionalArgs":[2],"namedArgs":{}}'


def test_the_audit_log_keeps_what_was_changed(editor: Client, run: str) -> None:
    confirm(editor, preview(editor, "?step=1", **{"arg:result/amount": "31"}), "?step=1")
    event = AuditEvent.objects.get(action="edit")
    assert event.detail == {
        "was": "ERROR",
        "fork": fork().pk,
        "changed": "step 1",
        "start_step": 2,
        "queue": "_dbos_internal_queue",
    }
    Workflow.objects.all().delete()
    Step.objects.all().delete()
    page = editor.get(reverse("dboshub:audit_change", args=[event.pk]))
    html = page.content.decode()
    assert "30" in html
    assert "31" in html
    assert page["Cache-Control"] == "no-store"
    assert AuditEvent.objects.filter(action="view payload", target=run).exists()
    assert reverse("dboshub:audit_change", args=[event.pk]) in (
        editor.get(reverse("dboshub:audit")).content.decode()
    )


def test_who_may_not_see_payloads_reads_no_change(
    client: Client, make_user: Callable[..., Any], editor: Client, run: str
) -> None:
    confirm(editor, preview(editor, "?step=1", **{"arg:result/amount": "31"}), "?step=1")
    event = AuditEvent.objects.get(action="edit")
    client.force_login(make_user("aud", f"{W}.view_auditevent"))
    assert client.get(reverse("dboshub:audit_change", args=[event.pk])).status_code == 403
    client.force_login(make_user("rea", f"{W}.view_payload"))
    assert client.get(reverse("dboshub:audit_change", args=[event.pk])).status_code == 403
    user, group = make_user("sam", f"{W}.view_auditevent", f"{W}.view_payload"), "mail"
    user.groups.add(Group.objects.create(name=group))
    ScopeRule.objects.create(group=Group.objects.get(name=group), application="mail")
    client.force_login(user)
    assert client.get(reverse("dboshub:audit_change", args=[event.pk])).status_code == 404


def test_a_redacted_change_stays_redacted(editor: Client, run: str) -> None:
    shown = preview(editor, "?json=1", **{"arg:*": '[{"password": "hunter2"}]'})
    assert "hunter2" not in shown.context["difference"]
    confirm(editor, shown, "?json=1")
    event = AuditEvent.objects.get(action="edit")
    page = editor.get(reverse("dboshub:audit_change", args=[event.pk])).content.decode()
    assert "redacted" in page
    assert "hunter2" not in page


def test_redacted_input_cannot_be_changed(editor: Client) -> None:
    with atomic() as session:
        add_workflow(session, "order/1", inputs={"password": "hunter2"})
    page = editor.get(url())
    assert "it holds a redacted value" in page.context["editable"].problem
    assert "hunter2" not in page.content.decode()


@pytest.mark.parametrize("lacking", ["view_payload", "edit_run"])
def test_it_needs_both_permissions(
    client: Client, make_user: Callable[..., Any], run: str, lacking: str
) -> None:
    rights = [each for each in RIGHTS if not each.endswith(lacking)]
    client.force_login(make_user("viv", *rights))
    page = client.get(url())
    assert page.status_code == 403
    assert "ada" not in page.content.decode()
    posted = {"arg:*": "[1]", "start_step": "1", "confirm": "1"}
    assert client.post(url(), posted).status_code == 403
    assert not Workflow.objects.filter(forked_from=run).exists()
    assert AuditEvent.objects.filter(outcome="refused").exists()
