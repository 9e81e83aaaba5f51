"""The page of executors and versions, as plain HTML, and acting on both."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic
from dboshub.workflows.engine.background import LoopFailures
from dboshub.workflows.models import ApplicationVersion, AuditEvent, Executor, Workflow
from dboshub.workflows.selectors.executor_overview import MAX_ENDED
from dboshub.workflows.selectors.executors import MAX_EXECUTORS
from tests.support.runs import add_workflow

pytestmark = pytest.mark.django_db

PAGE = "/workflows/executors/"
VIEW = "dboshub_workflows.view_workflow"
LIVE, DEAD = "a" * 32, "d" * 32
HOSTILE = ["<script>alert(1)</script>", "../x", "~x", "a//b", "vm 7/🐒", "\u202egnp"]


@pytest.fixture
def viewer(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("viv", VIEW))
    return client


@pytest.fixture
def admin(client: Client, make_user: Callable[..., Any]) -> Client:
    rights = ("dboshub_workflows.adopt_executor", "dboshub_workflows.promote_version")
    client.force_login(make_user("grace", VIEW, *rights))
    return client


def add(incarnation: str = LIVE, *, ago_ms: int = 0, **columns: Any) -> None:
    now = now_ms()
    given: dict[str, Any] = {
        "executor_id": "worker-1",
        "application_name": "shop",
        "application_version": "v2",
        "hostname": "box",
        "pid": 7,
        "lease_ms": 30_000,
        "registered_at": now - 3_600_000,
        "last_beat_at": now - ago_ms,
        "slots": 8,
        "busy": 2,
    }
    Executor.objects.create(incarnation=incarnation, **given | columns)


def add_version(name: str, at: int, **columns: Any) -> None:
    given = {"version_timestamp": at, "created_at": at, "application_name": "shop"} | columns
    ApplicationVersion.objects.create(version_id=name, version_name=name, **given)


def work(workflow_id: str, status: str = "PENDING", **columns: Any) -> None:
    with atomic() as session:
        add_workflow(session, workflow_id, status, **columns)


def page(client: Client) -> str:
    response = client.get(PAGE)
    assert response.status_code == 200, response.status_code
    return unescape(response.content.decode())


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def section(html: str, name: str) -> str:
    return words(html.split(f'id="{name}"')[1].split("</section>")[0])


def row_of(html: str, name: str) -> str:
    (found,) = [each for each in html.split("<tr>")[1:] if f"<bdi>{name}</bdi>" in each]
    return words(found.split("</tr>")[0])


def steer(verb: str, target: str) -> str:
    return reverse("dboshub:workflows:steer", args=[verb, target])


def test_a_live_executor_shows_what_it_serves_and_does(viewer: Client) -> None:
    now = now_ms()
    doing = [
        {"workflow": "w/1", "kind": "step", "step": 3, "name": "charge", "since": now - 5_000},
        {"workflow": "w-2", "kind": "message", "step": 1, "name": "paid", "since": now - 90_000},
        {"workflow": "w-3", "kind": "of another release"},
        "nonsense",
    ]
    add(queues='["mail", "reports"]', activity=json.dumps(doing))
    html = page(viewer)
    told = section(html, "live")
    for said in ("worker-1", "box, pid 7", "Alive", "v2", "mail", "reports"):
        assert said in told, told
    assert "1 of 8 slots 1 more wait in memory" in told
    assert told.index("Waiting for a message on the topic paid") < told.index(
        "Running step 3 (charge)"
    )
    assert f'href="{reverse("dboshub:workflows:detail", args=["w/1"])}"' in html
    assert "0 recorded as running" in told


def test_one_that_is_silent_is_told_from_one_that_beats(viewer: Client) -> None:
    add(ago_ms=31_000)
    assert "Silent" in section(page(viewer), "live")


def test_the_dead_stay_for_a_while_with_what_they_left(viewer: Client) -> None:
    now = now_ms()
    add(DEAD, executor_id="fallen", declared_dead_at=now - 60_000, ago_ms=90_000)
    add("e" * 32, executor_id="gone", stopped_at=now - 10_000, busy=0)
    work("w", owner_xid=f"hub:{DEAD}:1", executor_id="fallen", application_version="v2")
    html = page(viewer)
    told = section(html, "ended")
    assert told.index("gone") < told.index("fallen")
    assert re.search(r"fallen.*Died.*1 $", told)
    assert "a live one takes it over" in row_of(html.split('id="ended"')[0], "fallen")
    assert "No live executor" in section(html, "live")


def test_work_of_other_programs_is_seen_under_their_executor_ids(viewer: Client) -> None:
    add()
    work("mine", owner_xid=f"hub:{LIVE}:1", executor_id="worker-1")
    work("theirs", owner_xid="123", executor_id="vm-7")
    work("also", owner_xid=None, executor_id="vm-7")
    html = page(viewer)
    assert "another program" in row_of(html, "vm-7")
    assert re.search(r"v1 2 ", row_of(html, "vm-7"))
    assert "worker-1" not in section(html, "holders")


def test_versions_say_what_they_hold_and_whether_they_may_go(viewer: Client) -> None:
    add()
    for at, name in enumerate(("v0", "v1", "v2", "v3"), 1):
        add_version(name, at)
    add_version("other", 9, application_name="bank")
    work("w1", "ENQUEUED", queue_name="q", application_version="v1")
    work("w2", "DELAYED", application_version="v2", delay_until_epoch_ms=1)
    work("w3", "PENDING", application_version="v2", owner_xid=f"hub:{LIVE}:1")
    work("w4", "ENQUEUED", queue_name="q", application_version="unlaunched")
    work("w5", "ENQUEUED", queue_name="q", application_version=None)
    work("w6", "SUCCESS", application_version="v0")
    html = page(viewer).split('id="versions"')[1]
    assert "Yes: nothing in flight needs it." in row_of(html, "v0")
    assert "Stranded" in row_of(html, "v1")
    assert "Not yet" in row_of(html, "v2")
    assert "Running 1" in row_of(html, "v2")
    assert "Delayed 1" in row_of(html, "v2")
    assert "Latest" in row_of(html, "v3")
    assert "Latest" in row_of(html, "other")
    assert "Stranded" in row_of(html, "unlaunched")
    assert "It goes to the latest version" in words(html)
    assert 'href="/workflows/?version=v1&status=ENQUEUED">1<' in html


def test_a_database_of_another_program_shows_what_can_be_known(admin: Client) -> None:
    with connection.cursor() as cursor:
        table = connection.ops.quote_name(Executor._meta.db_table)
        cursor.execute(f"DROP TABLE {table}")
    work("theirs", owner_xid="123", executor_id="vm-7")
    html = page(admin)
    assert "send no heartbeat" in section(html, "live")
    assert "another program" in row_of(html, "vm-7")
    assert admin.post(steer("adopt", "vm-7"), {"application": "shop"}).status_code == 302
    assert Workflow.objects.get().status == "ENQUEUED"


def test_there_is_a_page_for_having_none(viewer: Client) -> None:
    html = page(viewer)
    assert "No live executor" in html
    assert "No version was launched yet" in html


def test_a_database_that_does_not_answer_is_said_to_be_so(viewer: Client) -> None:
    table = connection.ops.quote_name(ApplicationVersion._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO gone")
    response = viewer.get(PAGE)
    assert response.status_code == 503
    assert "The database did not answer" in response.content.decode()


def test_a_crowd_costs_no_more_statements_than_one(viewer: Client) -> None:
    add()
    with CaptureQueriesContext(connection) as few:
        page(viewer)
    for number in range(MAX_EXECUTORS + 20):
        add(f"{number:032}", executor_id=f"x{number}", stopped_at=number, ago_ms=number)
        add_version(f"w{number}", number)
    with CaptureQueriesContext(connection) as many:
        html = page(viewer)
    assert len(many) == len(few) <= 16
    assert section(html, "ended").count("Stopped") == MAX_ENDED
    assert section(html, "versions").count("Yes: nothing") <= 100


@pytest.mark.parametrize("name", HOSTILE)
def test_names_may_be_anything(admin: Client, name: str) -> None:
    add(executor_id=name, hostname=name, application_name="<b>&", queues=json.dumps([name]))
    add_version(name, 1)
    add_version("zz", 2)
    work("w", owner_xid="1", executor_id=name, application_version=name)
    html = admin.get(PAGE).content.decode()
    assert "<script>alert" not in html
    assert "<b>&" not in html
    for verb in ("adopt", "promote"):
        assert f'href="{steer(verb, name)}' in html
        assert "<script>alert" not in admin.get(steer(verb, name)).content.decode()
    assert admin.post(steer("promote", name)).status_code == 302
    assert AuditEvent.objects.get().target == name


@pytest.mark.parametrize("activity", ["{", "null", "[[]]", '[{"workflow": 1}]', '{"a": "b"}'])
def test_what_executors_publish_may_make_no_sense(viewer: Client, activity: str) -> None:
    add(activity=activity, queues=activity, functions=activity, slots=0)
    assert "It does not say." in page(viewer)


def test_loops_that_fail_in_a_process_are_named(viewer: Client) -> None:
    failures = LoopFailures("Claiming from <queues>")
    failures.failed(OSError("Input/output error"))
    assert failures.state is not None
    add(activity=json.dumps([failures.state.as_json()]))
    failures.recovered()
    html = viewer.get(PAGE).content.decode()
    assert "Claiming from &lt;queues&gt; fails:" in html
    assert "Input/output error" in html


def test_adopting_is_on_purpose_for_one_application_and_audited(admin: Client) -> None:
    add()
    work("mine", owner_xid=f"hub:{LIVE}:1", executor_id="vm-7")
    work("theirs", owner_xid="123", executor_id="vm-7")
    work("elsewhere", owner_xid="123", executor_id="vm-7", application_name="bank")
    work("unclaimed", owner_xid="123", executor_id="vm-7", application_name=None)
    asked = admin.get(f"{steer('adopt', 'vm-7')}?app=shop").content.decode()
    assert "Make sure that it has ended" in asked
    assert 'name="application" value="shop"' in asked
    assert not AuditEvent.objects.exists()
    sent = {"application": "shop", "reason": "the machine burned"}
    assert admin.post(steer("adopt", "vm-7"), sent)["Location"] == PAGE
    statuses = dict(Workflow.objects.values_list("pk", "status"))
    assert statuses == {
        "mine": "PENDING",
        "theirs": "ENQUEUED",
        "elsewhere": "PENDING",
        "unclaimed": "ENQUEUED",
    }
    event = AuditEvent.objects.get()
    assert (event.action, event.target_kind, event.target) == ("adopt", "executor", "vm-7")
    assert (event.outcome, event.reason) == ("done", "the machine burned")
    assert event.detail == {"application": "shop", "workflows": 2}
    again = admin.post(steer("adopt", "vm-7"), sent)
    assert again.status_code == 409
    assert "runs nothing that may be adopted" in again.content.decode()


def test_without_an_application_only_unclaimed_work_is_adopted(admin: Client) -> None:
    work("theirs", owner_xid="123", executor_id="vm-7")
    work("unclaimed", owner_xid="123", executor_id="vm-7", application_name=None)
    admin.post(steer("adopt", "vm-7"), {"application": ""})
    assert Workflow.objects.get(status="ENQUEUED").pk == "unclaimed"


def test_promoting_beats_every_rival_even_one_of_the_future(admin: Client) -> None:
    ahead = now_ms() + 3_600_000
    add_version("v1", 1)
    add_version("v2", ahead)
    add_version("other", ahead + 5, application_name="bank")
    assert "Latest" in row_of(page(admin), "v2")
    assert admin.post(steer("promote", "v1"), {"reason": "roll back"})["Location"] == PAGE
    html = page(admin)
    assert "Latest" in row_of(html, "v1")
    assert "Latest" not in row_of(html, "v2")
    event = AuditEvent.objects.get()
    assert (event.action, event.reason, event.detail["was"]) == ("promote", "roll back", "v2")
    again = admin.post(steer("promote", "v1"))
    assert again.status_code == 409
    assert "latest already" in again.content.decode()
    assert admin.post(steer("promote", "nobody")).status_code == 409


def test_who_may_only_look_is_offered_nothing_and_refused(viewer: Client) -> None:
    add_version("v1", 1)
    add_version("v2", 2)
    work("theirs", owner_xid="123", executor_id="vm-7")
    assert "/workflows/executors/adopt" not in page(viewer)
    for verb, target in (("adopt", "vm-7"), ("promote", "v1")):
        asked = viewer.get(steer(verb, target))
        assert asked.status_code == 403
        assert f"dboshub_workflows.{verb}_" in asked.content.decode()
        assert viewer.post(steer(verb, target), {"application": "shop"}).status_code == 403
    assert Workflow.objects.get().status == "PENDING"
    assert [each.outcome for each in AuditEvent.objects.all()] == ["refused"] * 2


def test_without_the_permission_to_view_there_is_no_page(
    client: Client, make_user: Callable[..., Any]
) -> None:
    client.force_login(make_user("bob", "dboshub_queues.view_queue"))
    for url in (PAGE, steer("adopt", "x")):
        assert client.get(url).status_code == 403
    assert PAGE not in client.get("/queues/").content.decode()
    assert client.post(steer("adopt", "x")).status_code == 403


def test_pages_keep_the_content_policy(admin: Client) -> None:
    add()
    add_version("v1", 1)
    assert admin.get(steer("explode", "x")).status_code == 404
    for url in (PAGE, steer("adopt", "x"), steer("promote", "v1")):
        html = admin.get(url).content.decode()
        assert not re.search(r'\sstyle="|\son\w+="|<script>|javascript:', html)
