"""What pages say of workflows that do not run: the blocker by name, and a way to lift it."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from dboshub.queues.models import Queue, QueuePause
from dboshub.schedules.models import Schedule
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic
from dboshub.workflows.models import ApplicationVersion, Executor
from tests.support.runs import T0, add_step, add_workflow, pickled

pytestmark = pytest.mark.django_db

VIEW = ("dboshub_queues.view_queue", "dboshub_schedules.view_schedule")
SEES_WORKFLOWS = "dboshub_workflows.view_workflow"
LIST = "/workflows/"
DIED, LIVE = "d" * 32, "a" * 32


@pytest.fixture
def admin(client: Client, make_user: Callable[..., Any]) -> Client:
    rights = ("dboshub_workflows.cancel_workflow", "dboshub_queues.change_queue")
    client.force_login(make_user("grace", *VIEW, SEES_WORKFLOWS, *rights))
    return client


def add_worker(incarnation: str = LIVE, **columns: Any) -> None:
    given: dict[str, Any] = {
        "incarnation": incarnation,
        "executor_id": "worker",
        "application_name": "shop",
        "application_version": "v1",
        "hostname": "box",
        "pid": 7,
        "lease_ms": 30_000,
        "last_beat_at": now_ms(),
    }
    Executor.objects.create(**given | columns)


def add(workflow_id: str, status: str = "ENQUEUED", **columns: Any) -> None:
    with atomic() as session:
        add_workflow(session, workflow_id, status, **{"queue_name": "mail"} | columns)


def page(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, response.status_code
    return unescape(response.content.decode())


def detail(workflow_id: str) -> str:
    return reverse("dboshub:workflows:detail", args=[workflow_id])


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def blockers(html: str) -> str:
    assert html.count('class="blockers"') == 1
    return html.split('class="blockers"')[1].split('<dl class="facts">')[0]


@pytest.mark.parametrize("url", ["queue", "run"])
def test_the_holder_of_the_last_place_is_named_and_can_be_ended(admin: Client, url: str) -> None:
    Queue.objects.create(name="mail", concurrency=1)
    add_worker()
    add("waits")
    add("holder", "PENDING", started_at_epoch_ms=now_ms() - 9_005_000, name="press")
    for number in range(6):
        add(f"done-{number}", "SUCCESS", name="press", started_at_epoch_ms=T0)
    shown = blockers(page(admin, "/queues/mail/" if url == "queue" else detail("waits")))
    assert "holder press for 2 h 30 min usually 4 s" in words(shown)
    assert 'href="/workflows/do/cancel/holder" data-needs="cancel" data-dialog' in shown
    assert 'href="/queues/mail/#limits"' in shown


def test_whoever_sees_no_workflows_sees_none_that_holds_a_place(
    client: Client, make_user: Callable[..., Any]
) -> None:
    client.force_login(make_user("vera", *VIEW))
    Queue.objects.create(name="mail", concurrency=1)
    add_worker()
    add("waits")
    add("holder", "PENDING", name="press", started_at_epoch_ms=now_ms())
    shown = page(client, "/queues/mail/")
    assert "all 1 places of the queue are taken" in shown
    assert "/do/cancel/" not in shown
    assert "/workflows/run/" not in shown


def test_a_paused_queue_is_two_clicks_from_going_on(admin: Client) -> None:
    Queue.objects.create(name="mail")
    QueuePause.objects.create(queue_name="mail", reason="stock taking")
    add_worker()
    add("waits")
    resume = "/queues/do/resume/mail/"
    for url in ("/queues/mail/", detail("waits")):
        shown = page(admin, url)
        assert "the queue mail is paused: stock taking." in words(shown)
        assert f'<a class="button" href="{resume}" data-needs="queues" data-dialog>' in blockers(
            shown
        )
    assert admin.post(resume)["Location"] == "/queues/mail/"
    assert "next in line" in page(admin, "/queues/mail/")
    assert 'class="blockers"' not in page(admin, detail("waits"))


@pytest.mark.parametrize(
    ("queue", "worker", "note", "title"),
    [
        ({}, {}, None, "It waits on a queue."),
        ({"concurrency": 0}, {}, "stuck", "its concurrency is 0"),
        ({"concurrency": 1}, {}, "full", "all 1 places of the queue are taken"),
        ({}, {"application_version": "v2"}, "stuck", "no live executor of shop for version v1"),
        ({}, {"functions": '{"press": {}}'}, "stuck", "knows a workflow named checkout"),
        (None, {}, "stuck", "nobody has registered the queue mail"),
    ],
)
def test_a_status_in_the_list_says_what_keeps_it_from_a_claim(
    admin: Client, queue: dict[str, Any] | None, worker: dict[str, Any], note: str, title: str
) -> None:
    if queue is not None:
        Queue.objects.create(name="mail", **queue)
    add_worker(**worker)
    add("waits")
    add("holder", "PENDING", name="press")
    html = page(admin, f"{LIST}?status=ENQUEUED")
    pill = html.split('data-cell="status"')[2].split("</td>")[0]
    assert title in pill
    assert ("status-note" in pill) == (note is not None)
    assert note is None or f'<span class="status-note">{note}</span>' in pill


def test_a_recovered_run_says_when_it_started_last_and_not_how_long_it_waited(
    admin: Client,
) -> None:
    for name, columns in {"first": {}, "recovered": {"recovery_attempts": 2}}.items():
        add(name, started_at_epoch_ms=T0 + 71_000, status="SUCCESS", **columns)
    add("resumed", started_at_epoch_ms=T0 + 71_000, status="SUCCESS")
    with atomic() as session:
        add_step(session, "resumed", 1, "charge", 10, 20)
        add_step(session, "first", 1, "charge", 72_000, 73_000)
    assert "Waited in queue 1 min 11 s Started" in words(page(admin, detail("first")))
    for name in ("recovered", "resumed"):
        shown = words(page(admin, detail(name)))
        assert "Waited in queue" not in shown
        assert "Last started" in shown


def test_a_run_of_a_dead_executor_says_what_becomes_of_it(admin: Client) -> None:
    add_worker(DIED, declared_dead_at=now_ms())
    add_worker(application_version="v2")
    add("orphan", "PENDING", owner_xid=f"hub:{DIED}:1", queue_name=None)
    shown = page(admin, detail("orphan"))
    assert "Its executor worker (box, pid 7) has ended." in words(shown)
    assert "No live executor of shop for version v1" in words(blockers(shown))
    assert "step is recorded yet" not in shown


def test_a_wait_for_a_message_has_its_own_number_and_not_that_of_its_timeout(
    admin: Client,
) -> None:
    add("waits", "PENDING", queue_name=None, created_at=now_ms())
    with atomic() as session:
        add_step(session, "waits", 3, "charge")
        add_step(session, "waits", 5, "DBOS.sleep", 200, 60_000)
    shown = page(admin, detail("waits"))
    assert re.search(r'<span class="line-number">4</span>.{,200}waits for a message', shown)
    assert '<span class="line-number">5</span>' not in shown


def test_a_schedule_whose_workflow_nobody_knows_says_so(admin: Client) -> None:
    add_worker(functions='{"report": {}}')
    given = {"schedule": "0 * * * *", "context": pickled(None), "status": "ACTIVE"}
    for name, workflow in {"nightly": "report", "typo": "repport"}.items():
        Schedule.objects.create(
            schedule_id=name, schedule_name=name, workflow_name=workflow, **given
        )
    says = "Its next run will wait: no live executor knows a workflow named repport."
    shown = page(admin, "/schedules/typo/")
    assert says in words(shown)
    assert "report is known" in words(blockers(shown))
    assert words(page(admin, "/schedules/")).count(says) == 1
    assert "Its next run" not in page(admin, "/schedules/nightly/")


def test_promoting_a_version_that_nobody_runs_warns(
    client: Client, make_user: Callable[..., Any]
) -> None:
    client.force_login(make_user("pat", SEES_WORKFLOWS, "dboshub_workflows.promote_version"))
    for at, name in enumerate(("v1", "v0")):
        ApplicationVersion.objects.create(
            version_id=name, version_name=name, version_timestamp=at, application_name="shop"
        )
    add_worker()
    steer = "/workflows/executors/promote/"
    warning = "No live executor has this version."
    assert warning in page(client, f"{steer}v0")
    assert warning not in page(client, f"{steer}v1")


def test_a_fork_for_a_running_version_is_filled_in(client: Client) -> None:
    from django.contrib.auth.models import User

    client.force_login(User.objects.create_superuser("root"))
    Queue.objects.create(name="mail")
    add_worker(application_version="v2")
    add("waits")
    shown = page(client, detail("waits"))
    [url] = re.findall(r'href="(/workflows/do/fork/waits\?[^"]*)"', shown)
    assert 'value="v2"' in page(client, url)
