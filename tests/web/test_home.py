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
from dboshub.workflows.models import AuditEvent, QueueSample, RolledSpan
from dboshub.workflows.models.rollups import HOUR, MINUTE
from dboshub.workflows.page_cache import page_cache
from dboshub.workflows.rollups import store
from dboshub.workflows.rollups.lease import LeaseHandle
from dboshub.workflows.storage.sql import Statement
from tests.support.runs import add_workflow, insert, pickled

pytestmark = pytest.mark.django_db

RIGHTS = (
    "dboshub_workflows.view_workflow",
    "dboshub_workflows.view_payload",
    "dboshub_queues.view_queue",
    "dboshub_schedules.view_schedule",
)
HOSTILE = "<script>alert(1)</script>*"
DEAD = "d" * 32
SUCCEED = Statement(
    "UPDATE {workflow_status} SET status = 'SUCCESS', completed_at = :now WHERE status = 'ENQUEUED'"
)


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


def test_failed_work_is_named_until_it_is_made_good_and_leads_to_its_error(
    viewer: Client,
) -> None:
    for number in range(3):
        work(f"f{number}", "ERROR", name=HOSTILE, error=ValueError("shut"))
    work("long-ago", "ERROR", 8 * 24 * HOUR, error=KeyError("old"))
    html = page(viewer)
    assert re.search(
        r"ValueError before any step in .*: 3 open, last failure 5 min ago", words(html)
    )
    assert "KeyError" not in html
    assert "<script>alert" not in html
    detail = viewer.get(target(html, "ValueError")).content.decode()
    assert "shut" in words(detail)
    assert "/workflows/run/f0" in detail

    for number in range(3):
        work(f"g{number}", "ENQUEUED", 0, forked_from=f"f{number}", name=HOSTILE)
    html = page(viewer)
    assert "Nothing is open" in words(html)
    assert "ValueError" in html

    with atomic() as session:
        session.run(SUCCEED, now=now_ms())
    html = page(viewer)
    assert "Nothing is wrong" in words(html)
    assert "ValueError" not in html


def test_a_run_that_gave_up_is_named_without_an_error(viewer: Client) -> None:
    work("gave-up", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
    assert "recovered too often before any step in checkout: 1 open" in words(page(viewer))


def test_who_may_not_see_payloads_is_told_of_failures_but_not_of_errors(
    client: Client, make_user: Callable[..., Any]
) -> None:
    client.force_login(make_user("some", "dboshub_workflows.view_workflow"))
    work("f", "ERROR", error=ValueError("MARKER"))
    answer = client.get("/")
    html = answer.content.decode()
    assert "Failure before any step in checkout: 1 open" in words(html)
    assert "ValueError" not in html
    assert not AuditEvent.objects.exists()
    assert "no-store" not in answer.headers.get("Cache-Control", "")


def test_naming_errors_is_noted_and_not_kept(viewer: Client) -> None:
    assert "no-store" not in viewer.get("/").headers.get("Cache-Control", "")
    page_cache().clear()
    work("f", "ERROR", error=ValueError("no"))
    assert "no-store" in viewer.get("/").headers["Cache-Control"]
    assert AuditEvent.objects.get().target_kind == "errors"


def test_an_executor_that_died_is_named_with_what_it_holds(viewer: Client) -> None:
    executor(last_beat_at=now_ms() - 5 * MINUTE)
    work("held", "PENDING", executor_id="worker-7", owner_xid=f"hub:{DEAD}:1")
    work("not", "PENDING", executor_id="worker-8")
    html = page(viewer)
    assert "is silent, last heartbeat 5 min ago on box, pid 7 and holds 1" in words(html)
    detail = viewer.get(target(html, "worker-7")).content.decode()
    assert "/workflows/run/held" in detail
    assert "/workflows/run/not" not in detail
    listed = re.search(r'href="(/workflows/\?executor[^"]+)"', detail)
    assert listed is not None
    assert ids(viewer, unescape(listed[1])) == {"held"}


def test_one_that_said_goodbye_or_was_replaced_or_died_long_ago_is_no_news(viewer: Client) -> None:
    executor(stopped_at=now_ms())
    executor(incarnation="e" * 32, declared_dead_at=now_ms() - 25 * HOUR)
    executor(incarnation="g" * 32, declared_dead_at=now_ms() - MINUTE)
    assert "no other executor of its application lives" in words(page(viewer))
    executor(incarnation="f" * 32)
    assert "Nothing is wrong" in words(page(viewer))
    work("held", "PENDING", executor_id="worker-7", owner_xid=f"hub:{'g' * 32}:1")
    assert "worker-7 died, last heartbeat" in words(page(viewer))


def test_a_version_that_no_live_executor_has_is_stranded_unless_others_may_have_it(
    viewer: Client,
) -> None:
    executor()
    work("old", "ENQUEUED", queue_name="mail", application_version="v1")
    work("new", "ENQUEUED", queue_name="mail", application_version="v2")
    work("theirs", "PENDING", application_version="v9", owner_xid="dbos")
    html = page(viewer)
    assert "v1 holds 1 in flight, and no live executor has it" in words(html)
    detail = viewer.get(target(html, "v1")).content.decode()
    assert "/workflows/run/old" in detail
    assert "/workflows/run/new" not in detail
    assert "v9 holds" not in words(html)


def test_a_latest_version_that_is_dead_is_named_with_the_work_that_waits_for_it(
    viewer: Client,
) -> None:
    launched(("v0", 2), ("v2", 1))
    executor()
    assert "v0 is the latest version, and no live executor has it" in words(page(viewer))
    work("any", "ENQUEUED", queue_name="mail", application_version=None)
    html = page(viewer)
    assert "1 in flight name no version and wait for it" in words(html)
    assert "/workflows/run/any" in viewer.get(target(html, "v0")).content.decode()
    executor(incarnation="f" * 32, application_version="v0")
    assert "Nothing is wrong" in words(page(viewer))


def launched(*versions: tuple[str, int]) -> None:
    for name, at in versions:
        with atomic() as session:
            insert(
                session,
                "application_versions",
                version_id=name,
                version_name=name,
                version_timestamp=at,
                created_at=at,
                application_name="shop",
            )


def test_runs_that_start_over_and_over_are_named(viewer: Client) -> None:
    work("again", "PENDING", recovery_attempts=7)
    work("once", "PENDING", recovery_attempts=2)
    html = page(viewer)
    assert "checkout was recovered 6 times and has not ended: again" in words(html)
    assert "once" not in words(html).split("Recovery loops")[1].split("Over time")[0]
    assert "/workflows/run/again" in viewer.get(target(html, "checkout")).content.decode()


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
    said = "stuck its oldest has waited 21 min 2 s, 10 min ten minutes ago"
    why = "nobody has registered the queue stuck, so no worker takes from it"
    assert f"{said}; {why}" in words(html)
    assert target(html, "stuck") == "/incidents/queue/stuck"
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
    assert target(html, "late") == "/incidents/schedule/late"
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

    assert "4 workflows ended, as far as counted." in words(html)
    assert "1 of 4 failed, 25.0%, as far as counted." in words(html)
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


def test_the_span_fits_what_is_counted(viewer: Client) -> None:
    at = now_ms() // MINUTE * MINUTE
    for age, word in ((2, "15 min"), (50, "1 h"), (300, "6 h"), (3_000, "24 h")):
        RolledSpan.objects.create(width=MINUTE, at=at - age * MINUTE)
        assert re.search(rf'aria-current="true">{word}<', page(viewer)), word


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
    assert "and 23 more" in words(html)
    assert len(caught) <= 38, len(caught)
