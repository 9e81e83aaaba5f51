"""The pages of queues, as plain HTML."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dboshub.queues.models import Queue, QueuePause
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic
from dboshub.workflows.models import (
    AuditEvent,
    Executor,
    Workflow,
)
from tests.support.runs import add_workflow, insert

pytestmark = pytest.mark.django_db

NAME = "mail/outbound 🐒"
LIST = "/queues/"
HOSTILE = [
    "<script>alert(1)</script>",
    "do/pause/x",
    "do",
    "..",
    "a//b/",
    "~x",
    "\u202egnp",
    "a?b#c",
]
VIEW = ("dboshub_queues.view_queue", "dboshub_workflows.view_workflow")
LIMITS = {"concurrency": "4", "polling_interval_sec": "1"}


@pytest.fixture
def viewer(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("viv", *VIEW))
    return client


@pytest.fixture
def admin(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(
        make_user("grace", *VIEW, "dboshub_queues.change_queue", "dboshub_queues.delete_queue")
    )
    return client


def add(name: str = NAME, **columns: Any) -> Queue:
    made: Queue = Queue.objects.create(name=name, **{"application_name": "shop"} | columns)
    return made


def enqueue(count: int, status: str = "ENQUEUED", queue: str = NAME, **columns: Any) -> None:
    with atomic() as session:
        for number in range(count):
            named = f"{queue}-{status}-{columns.get('priority', 0)}-{number}"
            add_workflow(session, named, status, **{"queue_name": queue, "priority": 0} | columns)


def beat(executor: str = "e1", *, ago_ms: int = 0, **columns: Any) -> None:
    given: dict[str, Any] = {
        "incarnation": f"{executor:0>32}",
        "executor_id": executor,
        "application_name": "shop",
        "application_version": "v1",
        "hostname": "box",
        "pid": 7,
        "lease_ms": 30_000,
        "last_beat_at": now_ms() - ago_ms,
    }
    Executor.objects.create(**given | columns)


def page(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, response.status_code
    return unescape(response.content.decode())


def detail(name: str = NAME) -> str:
    return reverse("dboshub:queues:detail", args=[name])


def do(verb: str, name: str = NAME) -> str:
    return reverse("dboshub:queues:do", args=[verb, name])


def row_of(html: str, name: str = NAME) -> str:
    (found,) = [each for each in html.split("<tr>")[1:] if f"<bdi>{name}</bdi>" in each]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found))


def test_a_queue_shows_what_waits_and_runs_and_how_much_of_its_limits(viewer: Client) -> None:
    add(concurrency=4, rate_limit_max=10, rate_limit_period_sec=60)
    enqueue(3)
    enqueue(2, "PENDING", rate_limited=True, started_at_epoch_ms=now_ms())
    enqueue(1, "DELAYED", delay_until_epoch_ms=now_ms() + 600_000)
    beat()
    html = page(viewer, LIST)
    told = row_of(html)
    for said in ("Waiting", "2 of 4 places taken", "2 of 10 starts in 60 s", "1 live", "shop"):
        assert said in told, told
    assert "10 starts in 60 s" in told
    assert "next in line" in told
    query = "?queue=mail%2Foutbound%20%F0%9F%90%92&status="
    for status, number in (("ENQUEUED", 3), ("PENDING", 2), ("DELAYED", 1)):
        assert f'href="/workflows/{query}{status}"><b>{number}</b>' in html


def test_the_oldest_is_found_behind_every_priority(viewer: Client) -> None:
    add()
    beat()
    now = now_ms()
    enqueue(1, priority=1, created_at=now - 60_000)
    enqueue(1, priority=5, created_at=now - 2 * 3_600_000)
    assert re.search(r"oldest\s+2 h", row_of(page(viewer, LIST)))
    for priority in range(10, 40):
        enqueue(1, priority=priority, created_at=now)
    assert re.search(r"oldest\s+at least\s+2 h", row_of(page(viewer, LIST)))


def test_what_was_delayed_waits_since_the_end_of_its_delay(viewer: Client) -> None:
    add()
    beat()
    now = now_ms()
    enqueue(2, created_at=now - 2 * 3_600_000)
    Workflow.objects.filter(pk__endswith="-0").update(
        created_at=now - 5 * 3_600_000, delay_until_epoch_ms=now - 60_000
    )
    assert re.search(r"oldest\s+2 h", row_of(page(viewer, LIST)))


@pytest.mark.parametrize(
    ("columns", "running", "why"),
    [
        ({"concurrency": 2}, 2, "all 2 places of the queue are taken"),
        ({"concurrency": 0}, 0, "its concurrency is 0"),
        ({"worker_concurrency": 2}, 2, "its executor runs the 2 that one may"),
        ({"rate_limit_max": 1, "rate_limit_period_sec": 60}, 1, "its rate of 1 in 60 s is used up"),
        ({"partition_concurrency": 1}, 0, "no partition key"),
        ({"application_name": "other"}, 0, "only the application other serves the queue"),
        ({}, 0, "next in line"),
    ],
)
def test_a_full_queue_says_which_limit_holds_its_head(
    viewer: Client, columns: dict[str, Any], running: int, why: str
) -> None:
    add(**columns)
    beat()
    enqueue(1)
    owner = f"hub:{'e1':0>32}:1"
    enqueue(running, "PENDING", rate_limited=True, started_at_epoch_ms=now_ms(), owner_xid=owner)
    assert why in row_of(page(viewer, LIST))
    assert why in page(viewer, detail())


def test_a_queue_nobody_serves_says_so(viewer: Client) -> None:
    add()
    enqueue(1)
    told = row_of(page(viewer, LIST))
    assert "Stuck" in told
    assert "no live executor is registered" in told
    beat(queues='["other"]')
    beat("e2", ago_ms=90_000)
    told = row_of(page(viewer, LIST))
    assert "none live" in told
    assert "no live executor serves the queue" in told


def test_a_paused_queue_says_since_when_by_whom_and_why(viewer: Client) -> None:
    add()
    enqueue(1)
    QueuePause.objects.create(queue_name=NAME, paused_by="olga", reason="the mail server is down")
    told = row_of(page(viewer, LIST))
    assert "Paused" in told
    assert "the mail server is down" in told
    shown = page(viewer, detail())
    assert "by <bdi>olga</bdi>" in shown


def test_work_on_a_queue_that_nobody_registered_is_seen(viewer: Client) -> None:
    enqueue(2, queue="ghost")
    enqueue(1, queue="_dbos_internal_queue")
    enqueue(1, queue="_dbos_kafka_queue")
    html = page(viewer, LIST)
    assert "messages for Kafka consumers" in row_of(html, "_dbos_kafka_queue")
    assert "nobody has registered" not in row_of(html, "_dbos_kafka_queue")
    assert "Not registered" in row_of(html, "ghost")
    assert "nobody has registered the queue" in row_of(html, "ghost")
    assert "no queue was named" in row_of(html, "_dbos_internal_queue")
    assert "nobody has registered the queue" in page(viewer, detail("ghost"))
    assert "/queues/do/" not in page(viewer, detail("ghost"))
    assert viewer.get(do("pause", "ghost")).status_code == 404


def test_the_head_of_the_line_is_in_the_order_of_claims(viewer: Client) -> None:
    add()
    enqueue(1, priority=9)
    enqueue(2, priority=1)
    shown = page(viewer, detail())
    ids = re.findall(r'href="/workflows/run/[^"]*"><bdi>([^<]*)', shown)
    assert ids == [f"{NAME}-ENQUEUED-1-0", f"{NAME}-ENQUEUED-1-1", f"{NAME}-ENQUEUED-9-0"]


def test_many_queues_come_in_pages_at_a_bounded_cost(viewer: Client) -> None:
    beat()
    with CaptureQueriesContext(connection) as one:
        page(viewer, LIST)
    for number in range(45):
        add(f"q{number:02}", rate_limit_max=1, rate_limit_period_sec=1)
    enqueue(2, queue="q10")
    enqueue(1, queue="q10x")
    with CaptureQueriesContext(connection) as many:
        first = page(viewer, LIST)
    assert len(many) <= len(one) + 9
    # 20 of the page, of which two ask the rules of claims about the next workflows; on PostgreSQL
    # two that ask whether a table of ours is there, and a savepoint.
    assert len(many) <= 24
    assert first.count('class="ledger-what"') == 20
    assert "<bdi>q10x</bdi>" in first
    assert 'rel="next" href="?after=q18"' in first
    second = page(viewer, f"{LIST}?after=q18")
    assert "<bdi>q19</bdi>" in second
    assert "<bdi>q18</bdi>" not in second
    found = page(viewer, f"{LIST}?q=q10")
    assert found.count('class="ledger-what"') == 2


def test_there_is_a_page_for_having_none_and_for_finding_none(viewer: Client) -> None:
    assert "No queues yet" in page(viewer, LIST)
    assert "No queue matches" in page(viewer, f"{LIST}?q=zzz&after=%00")
    missing = viewer.get(detail("nobody"))
    assert missing.status_code == 404
    assert "No such queue" in missing.content.decode()
    assert viewer.get("/queues/a%00b/").status_code == 404


def test_a_database_that_does_not_answer_is_said_to_be_so(viewer: Client) -> None:
    table = connection.ops.quote_name(Queue._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO gone")
    response = viewer.get(LIST)
    assert response.status_code == 503
    assert "The database did not answer" in response.content.decode()


def test_a_database_of_another_program_has_neither_pauses_nor_executors(admin: Client) -> None:
    add()
    enqueue(1)
    with connection.cursor() as cursor:
        for model in (QueuePause, Executor):
            cursor.execute(f"DROP TABLE {connection.ops.quote_name(model._meta.db_table)}")
    told = row_of(page(admin, LIST))
    assert "unknown" in told
    assert "next in line" in told
    assert "send no heartbeat" in page(admin, detail())
    for verb in ("pause", "resume"):
        assert admin.post(do(verb)).status_code == 409
    assert admin.post(do("change"), LIMITS)["Location"] == detail()
    assert Queue.objects.get().concurrency == 4


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_may_be_anything(admin: Client, name: str) -> None:
    add(name, application_name="<b>")
    enqueue(1, queue=name, name="<script>alert(2)")
    for url in (LIST, detail(name), do("pause", name)):
        html = admin.get(url).content.decode()
        assert "<script>alert" not in html
        assert "<b>&" not in html
    assert f'href="{detail(name)}"' in admin.get(LIST).content.decode()
    assert admin.post(do("pause", name))["Location"] == detail(name)
    assert QueuePause.objects.get().queue_name == name


@pytest.mark.parametrize(
    "columns",
    [
        {"rate_limit_max": 1, "rate_limit_period_sec": 1e300},
        {"rate_limit_max": 1, "rate_limit_period_sec": -1e300},
        {"rate_limit_max": 1},
        {"concurrency": -5, "worker_concurrency": -1},
        {"polling_interval_sec": 1e300},
    ],
)
def test_a_row_that_makes_no_sense_breaks_no_page(admin: Client, columns: dict[str, Any]) -> None:
    add(**columns)
    enqueue(1)
    beat(queues="{", functions="7", activity="null")
    for url in (LIST, detail(), do("change"), do("delete")):
        page(admin, url)


def test_without_the_permission_to_view_there_is_no_page(
    client: Client, make_user: Callable[..., Any]
) -> None:
    add()
    client.force_login(make_user("bob", "dboshub_workflows.view_workflow"))
    for url in (LIST, detail(), do("pause")):
        assert client.get(url).status_code == 403
    assert client.post(do("pause")).status_code == 403
    assert 'href="/queues/"' not in page(client, "/workflows/")


def test_who_may_not_see_workflows_sees_numbers_alone(
    client: Client, make_user: Callable[..., Any]
) -> None:
    add()
    enqueue(1)
    client.force_login(make_user("bob", "dboshub_queues.view_queue"))
    assert "/workflows/?queue" not in page(client, LIST)
    shown = page(client, detail())
    assert f"{NAME}-ENQUEUED" not in shown
    assert "view workflow" in shown


def test_who_may_only_look_is_offered_nothing_and_refused(viewer: Client) -> None:
    add()
    html = page(viewer, detail())
    assert "/queues/do/" not in html
    assert "may look but not act" in html
    asked = viewer.get(do("pause"))
    assert asked.status_code == 403
    assert "dboshub_queues.change_queue" in asked.content.decode()
    for verb, sent in (("pause", {}), ("change", LIMITS), ("delete", {})):
        assert viewer.post(do(verb), sent).status_code == 403
    assert Queue.objects.get().concurrency is None
    assert [each.outcome for each in AuditEvent.objects.all()] == ["refused"] * 3


@pytest.mark.parametrize("verb", ["pause", "resume", "change", "delete"])
def test_each_action_asks_first_and_changes_nothing(admin: Client, verb: str) -> None:
    add()
    html = page(admin, do(verb))
    assert 'method="post"' in html.split('id="confirm"')[1]
    assert 'name="reason"' in html
    assert not AuditEvent.objects.exists()
    assert admin.get(do("explode")).status_code == 404


def test_acting_leads_on_and_keeps_the_reason(admin: Client) -> None:
    add()
    assert admin.post(do("pause"), {"reason": "down"})["Location"] == detail()
    assert "Paused: workers claim nothing" in page(admin, detail())
    assert AuditEvent.objects.get().reason == "down"
    assert admin.post(do("pause")).status_code == 409
    assert admin.post(do("resume"))["Location"] == detail()
    assert not QueuePause.objects.exists()
    enqueue(1)
    refused = admin.post(do("delete"))
    assert refused.status_code == 409
    assert "Cancel them or resume them" in refused.content.decode()


def test_limits_are_edited_in_place_as_they_were_seen(admin: Client) -> None:
    add(concurrency=2, updated_at=7)
    shown = page(admin, detail())
    assert 'name="concurrency" value="2"' in shown
    assert 'name="as_of" value="7"' in shown
    sent = LIMITS | {"as_of": "7", "reason": "campaign", "name": "stolen"}
    assert admin.post(do("change"), sent)["Location"] == detail()
    row = Queue.objects.get()
    assert (row.name, row.application_name, row.concurrency) == (NAME, "shop", 4)
    stale = admin.post(do("change"), sent)
    assert stale.status_code == 409
    assert "Somebody changed this queue" in stale.content.decode()


@pytest.mark.parametrize(
    "wrong", [{"concurrency": "0"}, {"concurrency": "x"}, {"rate_limit_max": "5"}]
)
def test_limits_that_make_no_sense_are_explained(admin: Client, wrong: dict[str, str]) -> None:
    add(concurrency=2)
    response = admin.post(do("change"), LIMITS | wrong)
    assert response.status_code == 422
    assert "s-error" in response.content.decode()
    assert Queue.objects.get().concurrency == 2


def test_pages_keep_the_content_policy(admin: Client) -> None:
    add(concurrency=1)
    enqueue(2)
    beat()
    with atomic() as session:
        insert(session, "queues", queue_id="p", name="p", partition_concurrency=1)
    for url in (LIST, detail(), detail("p"), do("change"), do("delete")):
        html = page(admin, url)
        assert not re.search(r'\sstyle="|\son\w+="|<script>|javascript:', html)


def test_partitions_with_work_are_told_apart(viewer: Client) -> None:
    add(partition_queue=True)
    enqueue(3, queue_partition_key="ada")
    enqueue(2, "PENDING", queue_partition_key="bob")
    enqueue(1, queue=f"{NAME}2", queue_partition_key="eve")
    shown = page(viewer, detail())
    rows = re.findall(r"<td><bdi>(\w+)</bdi></td><td>([^<]*)</td><td>([^<]*)</td>", shown)
    assert rows == [("ada", "3", "0"), ("bob", "0", "2")]
    assert "More partitions" not in shown


def test_many_partitions_come_in_pages(viewer: Client) -> None:
    add(partition_queue=True)
    for number in range(60):
        enqueue(1, priority=number, queue_partition_key=f"p{number:02}")
    shown = page(viewer, detail())
    assert "<bdi>p49</bdi>" in shown
    assert "<bdi>p50</bdi>" not in shown
    assert 'href="?partitions_after=p49#partitions"' in shown
    more = page(viewer, detail() + "?partitions_after=p49")
    assert "<bdi>p59</bdi>" in more
    assert "<bdi>p49</bdi>" not in more


def test_a_purge_is_a_bulk_job_of_what_waits(client: Client, make_user: Callable[..., Any]) -> None:
    client.force_login(make_user("kay", *VIEW, "dboshub_workflows.cancel_workflow"))
    add("orders")
    assert "Purge" not in page(client, detail("orders"))
    enqueue(2, queue="orders")
    address = "/workflows/bulk/new/?verb=cancel&queue=orders&status=ENQUEUED"
    assert address in page(client, detail("orders"))
    assert client.get(address).status_code == 200
