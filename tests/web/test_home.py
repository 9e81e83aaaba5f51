"""Home: what is wrong now, each with a link to the very rows, and how things went."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dboshub.schedules.models import Schedule
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic, reading
from dboshub.workflows.models import QueueSample
from dboshub.workflows.models.rollups import HOUR, MINUTE
from dboshub.workflows.rollups import store
from dboshub.workflows.rollups.lease import LeaseHandle
from tests.support.runs import add_workflow, insert, pickled

pytestmark = pytest.mark.django_db

RIGHTS = (
    "dboshub_workflows.view_workflow",
    "dboshub_queues.view_queue",
    "dboshub_schedules.view_schedule",
)
HOSTILE = "<script>alert(1)</script>*"
DEAD = "d" * 32


@pytest.fixture
def viewer(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("viv", *RIGHTS))
    return client


def work(workflow_id: str, status: str, ago_ms: int = 5 * MINUTE, **columns: Any) -> None:
    at = now_ms() - ago_ms
    ended = status not in ("PENDING", "ENQUEUED", "DELAYED")
    given = {"created_at": at - 2_000, "updated_at": at, "completed_at": at if ended else None}
    with atomic() as session:
        add_workflow(session, workflow_id, status, **given | columns)


def executor(**columns: Any) -> None:
    given = {
        "incarnation": DEAD,
        "executor_id": "worker-7",
        "application_name": "shop",
        "application_version": "v2",
        "hostname": "box",
        "pid": 7,
        "lease_ms": 30_000,
        "registered_at": now_ms() - HOUR,
        "last_beat_at": now_ms(),
    }
    with atomic() as session:
        insert(session, "dboshub_executor", **given | columns)


def recount_spans(until: int | None = None) -> int:
    """Count the last three hours up to now; the end of what was counted."""
    edge = (until or now_ms() + MINUTE) // MINUTE * MINUTE
    hold = LeaseHandle("rollups", "me")
    hold.take(edge)
    store.recount_spans(hold, reading, edge - 3 * HOUR, edge, width=MINUTE)
    return edge


def page(client: Client, query: str = "") -> str:
    answer = client.get(f"/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def words(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def target(html: str, subject: str) -> str:
    """Where the finding about a subject leads."""
    found = re.search(rf'<li><p><a href="([^"]+)"><bdi>{re.escape(subject)}</bdi>', html)
    assert found, words(html)
    return unescape(found[1])


def ids(client: Client, url: str) -> set[str]:
    """The workflows that a list shows."""
    answer = client.get(url)
    assert answer.status_code == 200, url
    return set(re.findall(r'href="/workflows/run/([^"?]+)"', answer.content.decode()))


def test_where_nothing_is_wrong_the_page_says_so(viewer: Client) -> None:
    work("fine", "SUCCESS")
    executor()
    assert "Nothing is wrong" in words(page(viewer))


@pytest.mark.parametrize("counted", [False, True])
def test_failing_names_stand_against_the_hour_before_and_lead_to_their_runs(
    viewer: Client, counted: bool
) -> None:
    for number in range(3):
        work(f"f{number}", "ERROR", name=HOSTILE)
    work("gave-up", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", name=HOSTILE)
    work("before", "ERROR", 80 * MINUTE, name=HOSTILE)
    work("fine", "SUCCESS", name=HOSTILE)
    work("other", "ERROR", 80 * MINUTE, name="other")
    if counted:
        recount_spans()

    html = page(viewer)

    assert "failed 4 times in the last hour, once in the hour before" in words(html)
    assert ("among the newest 20,000 that ended" in words(html)) is not counted
    assert "<script>alert" not in html
    url = target(html, "&lt;script&gt;alert(1)&lt;/script&gt;*")
    assert ids(viewer, url) == {"f0", "f1", "f2", "gave-up"}


def test_an_executor_that_died_is_named_with_what_it_holds(viewer: Client) -> None:
    executor(last_beat_at=now_ms() - 5 * MINUTE)
    work("held", "PENDING", executor_id="worker-7", owner_xid=f"hub:{DEAD}:1")
    work("not", "PENDING", executor_id="worker-8")
    html = page(viewer)
    assert "is silent, last heartbeat 5 min ago on box, pid 7 and holds 1" in words(html)
    assert ids(viewer, target(html, "worker-7")) == {"held"}


def test_one_that_said_goodbye_or_died_long_ago_is_no_news(viewer: Client) -> None:
    executor(stopped_at=now_ms())
    executor(incarnation="e" * 32, declared_dead_at=now_ms() - 2 * HOUR)
    executor(incarnation="f" * 32)
    assert "Nothing is wrong" in words(page(viewer))


def test_a_version_that_no_live_executor_has_is_stranded_unless_others_may_have_it(
    viewer: Client,
) -> None:
    executor()
    work("old", "ENQUEUED", queue_name="mail", application_version="v1")
    work("new", "ENQUEUED", queue_name="mail", application_version="v2")
    work("theirs", "PENDING", application_version="v9", owner_xid="dbos")
    html = page(viewer)
    assert "v1 holds 1 in flight, and no live executor has it" in words(html)
    assert ids(viewer, target(html, "v1")) == {"old"}
    assert "v9 holds" not in words(html)


def test_runs_that_start_over_and_over_are_named(viewer: Client) -> None:
    work("again", "PENDING", recovery_attempts=7)
    work("once", "PENDING", recovery_attempts=2)
    html = page(viewer)
    assert "checkout was recovered 6 times and has not ended: again" in words(html)
    assert "once" not in words(html).split("Recovery loops")[1].split("Over time")[0]
    assert target(html, "checkout") == "/workflows/run/again"


def test_a_queue_falls_behind_when_its_head_waits_longer_than_it_did(viewer: Client) -> None:
    work("stuck", "ENQUEUED", 21 * MINUTE, queue_name="stuck")
    work("busy", "ENQUEUED", 20 * MINUTE, queue_name="busy")
    work("young", "ENQUEUED", 30_000, queue_name="young")
    at = (now_ms() - 10 * MINUTE) // MINUTE * MINUTE
    for queue, age, when in (("stuck", 10, at), ("busy", 20, at), ("x", 1, at - 2 * MINUTE)):
        QueueSample.objects.create(
            width=MINUTE, at=when, queue=queue, waiting=1, running=0, oldest_ms=age * MINUTE
        )
    html = page(viewer)
    assert "stuck its oldest has waited 21 min 2 s, 10 min ten minutes ago" in words(html)
    assert target(html, "stuck") == "/queues/stuck/"
    behind = words(html).split("Queues that fall behind")[1].split("Over time")[0]
    assert "busy" not in behind
    assert "young" not in behind
    assert "Waiting longest on a queue stuck 21 min" in words(html)


def test_a_schedule_that_did_not_fire_is_missed(viewer: Client) -> None:
    fired = "2026-01-01T00:00:00+00:00"
    given = {"schedule": "* * * * *", "context": pickled({}), "workflow_name": "report"}
    for name, status in (("late", "ACTIVE"), ("paused", "PAUSED")):
        Schedule.objects.create(
            schedule_id=name, schedule_name=name, status=status, last_fired_at=fired, **given
        )
    html = page(viewer)
    assert re.search(r"late missed [89] of its last 10 runs, last \d+ (s|min) ago", words(html))
    assert target(html, "late") == "/schedules/late/"
    assert "paused missed" not in words(html)


def test_what_somebody_may_not_see_is_not_told(
    client: Client, make_user: Callable[..., Any]
) -> None:
    work("stuck", "ENQUEUED", 20 * MINUTE, queue_name="stuck")
    client.force_login(make_user("no"))
    assert client.get("/").status_code == 403
    client.force_login(make_user("some", "dboshub_workflows.view_workflow"))
    assert "fall behind" not in words(page(client))


def test_bars_lead_to_what_ended_then_and_gaps_lead_nowhere(viewer: Client) -> None:
    edge = recount_spans()
    end = edge - 10 * MINUTE
    for number, status in enumerate(("SUCCESS", "SUCCESS", "ERROR", "CANCELLED")):
        work(f"w{number}", status, now_ms() - end - 30_000 - number)
    recount_spans(edge)

    html = page(viewer, "?span=6h")

    assert "4 workflows ended." in words(html)
    assert "1 of 4 failed, 25.0%." in words(html)
    assert html.count('fill="url(#gap-1)"') > 30
    bars = re.findall(r'<a class="column" href="([^"]+)"[^>]*><title>([^<]+)', html)
    ended, failed = (
        unescape(next(url for url, said in bars if part in said))
        for part in ("2 succeeded, 1 cancelled, 1 failed", "1 of 4 failed")
    )
    assert ids(viewer, ended) == {"w0", "w1", "w2", "w3"}
    assert ids(viewer, failed) == {"w2"}


def test_the_table_says_what_the_charts_show(viewer: Client) -> None:
    for number in range(20):
        work(f"w{number}", "SUCCESS", 5 * MINUTE, created_at=now_ms() - 5 * MINUTE - 60_000)
    recount_spans()
    table = words(page(viewer).split('class="table-twin"')[1])
    assert re.search(r"UTC \d+ 20 0 0 (59|1 min)", table)


def test_charts_can_be_about_one_name(viewer: Client) -> None:
    work("a", "SUCCESS", name="one")
    work("b", "SUCCESS", name="two")
    recount_spans()
    html = page(viewer, "?name=two&span=1h")
    assert "1 workflow ended." in words(html)
    assert 'href="?span=24h&amp;name=two#trends"' in html


def test_before_anything_is_counted_the_page_says_when(viewer: Client) -> None:
    assert "Nothing is counted yet" in words(page(viewer, "?span=nonsense&name=%00"))


def test_the_page_takes_a_bounded_number_of_statements(viewer: Client) -> None:
    executor()
    for number in range(30):
        work(f"w{number}", "ENQUEUED", queue_name=f"q{number}", application_version=f"v{number}")
        work(f"e{number}", "ERROR", name=f"n{number}")
    recount_spans()
    with CaptureQueriesContext(
        connection,
    ) as caught:
        html = page(viewer)
    assert "and 24 more" in words(html)
    assert len(caught) <= 31, len(caught)
