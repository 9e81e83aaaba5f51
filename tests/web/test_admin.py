"""The admin: queues edited through their actions, other tables read without their payloads."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dboshub.queues.models import Queue, QueuePause
from dboshub.schedules.models import Schedule
from dboshub.workflows.models import ApplicationVersion, AuditEvent, Executor, Workflow

pytestmark = pytest.mark.django_db

MARKER = "payload-that-nobody-may-see"
QUEUES = "/admin/dboshub_queues/queue/"
RIGHTS = ("view_queue", "add_queue", "change_queue", "delete_queue")
FORM = {"name": "mail", "polling_interval_sec": "1.0", "reason": "campaign"}


@pytest.fixture
def admin(client: Client, make_user: Callable[..., Any]) -> Client:
    rights = [f"dboshub_queues.{right}" for right in RIGHTS]
    rights += [
        "dboshub_workflows.view_workflow",
        "dboshub_workflows.view_auditevent",
        "dboshub_schedules.view_schedule",
    ]
    client.force_login(make_user("grace", *rights, is_staff=True))
    return client


def a_queue(**fields: Any) -> str:
    queue = Queue.objects.create(**({"name": "mail", "updated_at": 7} | fields))
    return f"{QUEUES}{queue.pk}/change/"


def text(client: Client, address: str) -> str:
    response = client.get(address, follow=True)
    assert response.status_code == 200, response
    return response.content.decode()


def test_a_queue_is_added_with_its_limits_and_audited(admin: Client) -> None:
    limits = {"concurrency": "5", "rate_limit_max": "10", "rate_limit_period_sec": "2.5"}

    response = admin.post(f"{QUEUES}add/", FORM | limits, follow=True)

    assert "was added successfully" in response.content.decode()
    row = Queue.objects.get()
    assert (row.name, row.concurrency, row.application_name) == ("mail", 5, None)
    assert (row.rate_limit_max, row.rate_limit_period_sec) == (10, 2.5)
    event = AuditEvent.objects.get()
    assert (event.username, event.action, event.reason) == ("grace", "add", "campaign")
    assert event.address == "127.0.0.1"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"concurrency": "1", "worker_concurrency": "2"}, "greater than or equal"),
        ({"rate_limit_max": "1"}, "both a number and a period"),
        ({"concurrency": "0"}, "To stop the queue, pause it"),
        ({"polling_interval_sec": "0"}, "must be positive"),
        ({"name": "_dbos_mine"}, "reserved"),
    ],
)
def test_limits_that_contradict_each_other_are_explained_in_the_form(
    admin: Client, wrong: dict[str, str], said: str
) -> None:
    response = admin.post(f"{QUEUES}add/", FORM | wrong)

    assert said in response.content.decode()
    assert not Queue.objects.exists()


def test_a_queue_is_changed_but_keeps_its_name_and_owner(admin: Client) -> None:
    page = a_queue(application_name="shop", concurrency=1)
    sent = FORM | {"name": "other", "application_name": "mine", "concurrency": "4", "as_of": "7"}

    response = admin.post(page, sent, follow=True)

    assert "was changed successfully" in response.content.decode()
    row = Queue.objects.get()
    assert (row.name, row.application_name, row.concurrency) == ("mail", "shop", 4)
    assert AuditEvent.objects.get().detail["was"]["concurrency"] == 1


def test_the_form_remembers_what_the_person_saw(admin: Client) -> None:
    page = a_queue(concurrency=1)
    assert re.search(r'name="as_of" value="7"', text(admin, page))
    Queue.objects.update(concurrency=2, updated_at=8)

    response = admin.post(page, FORM | {"concurrency": "9", "as_of": "7"}, follow=True)

    shown = response.content.decode()
    assert "Somebody changed this queue since you opened it." in shown
    assert "successfully" not in shown
    assert Queue.objects.get().concurrency == 2
    assert AuditEvent.objects.get().outcome == "refused"


def test_deleting_a_queue_goes_through_its_action(admin: Client) -> None:
    page = a_queue()
    waiting = Workflow.objects.create(workflow_uuid="w", status="ENQUEUED", queue_name="mail")

    refused = admin.post(
        page.replace("change/", "delete/"), {"post": "yes"}, follow=True
    ).content.decode()

    assert "Workflows wait on this queue" in refused
    assert "successfully" not in refused
    assert Queue.objects.exists()

    waiting.delete()
    done = admin.post(
        page.replace("change/", "delete/"), {"post": "yes"}, follow=True
    ).content.decode()

    assert "was deleted successfully" in done
    assert not Queue.objects.exists()
    assert [each.outcome for each in AuditEvent.objects.order_by("id")] == ["refused", "done"]


def test_queues_are_paused_and_resumed_from_the_list(admin: Client) -> None:
    a_queue()
    chosen = {"_selected_action": Queue.objects.get().pk}

    admin.post(QUEUES, chosen | {"action": "pause_selected"})
    assert QueuePause.objects.get().paused_by == "grace"
    again = admin.post(QUEUES, chosen | {"action": "pause_selected"}, follow=True)
    assert "paused already" in again.content.decode()

    admin.post(QUEUES, chosen | {"action": "resume_selected"})
    assert not QueuePause.objects.exists()
    assert "delete_selected" not in text(admin, QUEUES)


def test_a_queues_history_is_the_audit_log(admin: Client) -> None:
    page = a_queue()
    admin.post(page, FORM | {"concurrency": "4", "as_of": "7"})

    assert "campaign" in text(admin, page.replace("change/", "history/"))


def test_a_viewer_sees_queues_and_cannot_change_them(
    client: Client, make_user: Callable[..., Any]
) -> None:
    page = a_queue(concurrency=1)
    client.force_login(make_user("eve", "dboshub_queues.view_queue", is_staff=True))

    assert 'name="concurrency"' not in text(client, page)
    assert client.post(page, FORM | {"concurrency": "9"}).status_code == 403
    assert client.post(page.replace("change/", "delete/"), {"post": "yes"}).status_code == 403
    assert Queue.objects.get().concurrency == 1


def one_of_each() -> dict[str, Any]:
    workflow_id = "order/7 ✓_2F"
    payloads = {"inputs": MARKER, "output": MARKER, "error": MARKER, "attributes": {"a": MARKER}}
    return {
        "dboshub_workflows/workflow": Workflow.objects.create(
            workflow_uuid=workflow_id, status="ERROR", name="checkout", **payloads
        ),
        "dboshub_workflows/executor": Executor.objects.create(
            incarnation="i", executor_id="e", lease_ms=1, functions=MARKER, activity=MARKER
        ),
        "dboshub_workflows/applicationversion": ApplicationVersion.objects.create(
            version_id="v", version_name="v1"
        ),
        "dboshub_workflows/auditevent": AuditEvent.objects.create(
            username="grace", action="cancel", target_kind="workflow", target=workflow_id
        ),
        "dboshub_schedules/schedule": Schedule.objects.create(
            schedule_id="s", schedule_name="nightly", workflow_name="w", schedule="* * * * *",
            context=MARKER,
        ),
    }  # fmt: skip


def test_engine_tables_are_read_only_and_show_no_payload(admin: Client) -> None:
    for name, row in one_of_each().items():
        listed, page = f"/admin/{name}/", f"/admin/{name}/{quote(row.pk)}/change/"

        assert str(row.pk) in text(admin, listed) or name.endswith("auditevent")
        shown = text(admin, page)
        assert MARKER not in shown + text(admin, listed)
        assert 'type="submit"' not in shown.split('id="content-main"')[1]
        assert admin.get(f"{listed}add/").status_code == 403
        assert admin.post(page, {"name": "changed"}).status_code == 403
        assert admin.post(page.replace("change/", "delete/"), {"post": "yes"}).status_code == 403


def test_payload_columns_are_not_even_read(admin: Client) -> None:
    row = one_of_each()["dboshub_workflows/workflow"]

    with CaptureQueriesContext(
        connection,
    ) as asked:
        text(admin, "/admin/dboshub_workflows/workflow/")
        text(admin, f"/admin/dboshub_workflows/workflow/{quote(row.pk)}/change/")

    read = [query["sql"] for query in asked if "workflow_status" in query["sql"]]
    assert len(read) >= 2
    assert not [sql for sql in read if '"inputs"' in sql or '"output"' in sql or '"error"' in sql]


def test_a_list_counts_a_bounded_number_of_rows_and_sorts_along_the_index(admin: Client) -> None:
    Workflow.objects.bulk_create(
        Workflow(workflow_uuid=f"w{at:04}", status="SUCCESS", created_at=at) for at in range(1_100)
    )

    with CaptureQueriesContext(connection) as asked:
        page = text(admin, "/admin/dboshub_workflows/workflow/")

    assert "w1099" in page
    assert "w1000" not in page
    assert "1000 workflows" in page
    counts = [query["sql"] for query in asked if "COUNT" in query["sql"]]
    assert [sql for sql in counts if "workflow_status" in sql and "LIMIT 1000" not in sql] == []
    assert "w0500" in text(admin, "/admin/dboshub_workflows/workflow/?q=w0500")


def test_someone_without_permissions_finds_an_empty_admin(
    client: Client, make_user: Callable[..., Any]
) -> None:
    rows = one_of_each()
    client.force_login(make_user("eve", is_staff=True))

    assert "permission to view or edit anything" in text(client, "/admin/")
    for name, row in rows.items():
        assert client.get(f"/admin/{name}/").status_code == 403
        assert client.get(f"/admin/{name}/{quote(row.pk)}/change/").status_code == 403


def test_every_admin_page_keeps_to_the_content_security_policy(admin: Client) -> None:
    page = a_queue()
    addresses = ["/admin/", QUEUES, f"{QUEUES}add/", page, page.replace("change/", "delete/")]
    for name, row in one_of_each().items():
        addresses += [f"/admin/{name}/", f"/admin/{name}/{quote(row.pk)}/change/"]

    for address in addresses:
        response = admin.get(address)
        assert response.status_code == 200, address
        assert "script-src 'self'" in response["Content-Security-Policy"]
        shown = response.content.decode()
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", shown), address
        for tag in re.findall(r"<script[^>]*>", shown):
            assert "src=" in tag or 'type="application/json"' in tag, (address, tag)
