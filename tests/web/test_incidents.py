"""Incidents: the list by state, one page each, and resolution by facts."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dboshub.schedules.models import Schedule
from dboshub.schedules.selectors import run_ids
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic
from dboshub.workflows.models import AuditEvent, BulkItem, BulkJob, QueueSample
from dboshub.workflows.models.rollups import HOUR, MINUTE
from tests.support.runs import add_step, pickled
from tests.web.test_home import executor, words, work

pytestmark = pytest.mark.django_db

VIEW = (
    "dboshub_workflows.view_workflow",
    "dboshub_workflows.view_payload",
    "dboshub_queues.view_queue",
    "dboshub_schedules.view_schedule",
)
AUDIT = "dboshub_workflows.view_auditevent"
PAGE = "/incidents/"


@pytest.fixture
def viewer(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("viv", *VIEW))
    return client


def read(client: Client, url: str = PAGE, status: int = 200) -> str:
    answer = client.get(url)
    assert answer.status_code == status, url
    return answer.content.decode()


def listed(client: Client, state: str = "open") -> list[str]:
    html = read(client, f"{PAGE}?state={state}")
    return [words(row) for row in re.findall(r"<tr>\s*<td.*?</tr>", html, re.DOTALL)]


def test_each_state_has_its_list_and_counts(viewer: Client) -> None:
    assert "Nothing is open" in words(read(viewer))
    work("a", "ERROR", error=ValueError("no"))
    work("b", "ERROR", error=KeyError("no"))
    work("b2", "ENQUEUED", 0, forked_from="b")
    work("c", "ERROR", error=TypeError("no"))
    work("c2", "SUCCESS", 0, forked_from="c")
    html = words(read(viewer))
    assert "Open 1 Acted on 1 Ignored 0 Resolved 1" in html
    assert ["ValueError" in row for row in listed(viewer)] == [True]
    assert ["KeyError" in row for row in listed(viewer, "acted_on")] == [True]
    assert ["TypeError" in row for row in listed(viewer, "resolved")] == [True]
    assert "No such incident" in words(read(viewer, f"{PAGE}?state=ignored"))


def test_an_executor_is_resolved_when_another_one_goes_on(viewer: Client) -> None:
    executor(declared_dead_at=now_ms() - MINUTE)
    page = words(read(viewer, f"{PAGE}executor/{'d' * 32}"))
    assert "Open" in page
    assert "no other executor of its application lives" in page
    executor(incarnation="f" * 32, executor_id="worker-8")
    page = words(read(viewer, f"{PAGE}executor/{'d' * 32}"))
    assert "Resolved" in page
    assert "worker-8 on box, pid 7 goes on" in page
    assert ["worker-7" in row for row in listed(viewer, "resolved")] == [True]


def test_a_queue_that_drained_is_resolved(viewer: Client) -> None:
    at = (now_ms() - 40 * MINUTE) // MINUTE * MINUTE
    for queue, age in (("mail", 30), ("short", 3)):
        QueueSample.objects.create(
            width=MINUTE, at=at, queue=queue, waiting=9, running=0, oldest_ms=age * MINUTE
        )
    assert listed(viewer) == []
    [row] = listed(viewer, "resolved")
    assert "mail its oldest waited up to 30 min, and it has drained" in row
    work("stuck", "ENQUEUED", 25 * MINUTE, queue_name="mail")
    assert ["mail its oldest has waited 25 min" in row for row in listed(viewer)] == [True]
    assert listed(viewer, "resolved") == []
    page = read(viewer, f"{PAGE}queue/mail")
    assert "/workflows/run/stuck" in page


def test_a_schedule_that_fired_again_is_resolved(viewer: Client) -> None:
    given = {"schedule": "*/10 * * * *", "context": pickled({}), "workflow_name": "report"}
    Schedule.objects.create(
        schedule_id="s",
        schedule_name="late",
        status="ACTIVE",
        last_fired_at="2026-01-01T00:00:00+00:00",
        **given,
    )
    assert ["late missed" in row for row in listed(viewer)] == [True]
    now = datetime.now(UTC)
    last = now.replace(minute=now.minute // 10 * 10, second=0, microsecond=0)
    work(run_ids("late", last)[0], "SUCCESS", schedule_name="late")
    assert listed(viewer) == []
    assert ["it has fired since" in row for row in listed(viewer, "resolved")] == [True]
    assert last - timedelta(minutes=10) < now


def test_what_helps_is_a_button_for_who_may_and_a_reason_for_who_may_not(
    client: Client, make_user: Callable[..., Any]
) -> None:
    work("again", "PENDING", recovery_attempts=7)
    client.force_login(make_user("viv", *VIEW))
    page = words(read(client, f"{PAGE}recovery/again"))
    assert "Cancel it" not in page
    assert "dboshub_workflows.cancel_workflow" in page
    client.force_login(make_user("op", *VIEW, "dboshub_workflows.cancel_workflow"))
    html = read(client, f"{PAGE}recovery/again")
    assert "Cancel it…" in words(html)
    assert 'href="/workflows/do/cancel/again"' in html


def test_who_acted_is_told_to_who_may_read_the_audit_log(
    client: Client, make_user: Callable[..., Any]
) -> None:
    work("again", "PENDING", recovery_attempts=7)
    given = {"target_kind": "workflow", "target": "again", "outcome": "done"}
    AuditEvent.objects.create(username="ada", action="resume", reason="try", **given)
    AuditEvent.objects.create(username="bob", action="view payload", **given)
    client.force_login(make_user("viv", *VIEW))
    assert "ada" not in words(read(client, f"{PAGE}recovery/again"))
    client.force_login(make_user("chief", *VIEW, AUDIT))
    page = words(read(client, f"{PAGE}recovery/again"))
    assert re.search(r"Who acted ada : resume again .* try", page)
    assert "bob" not in page


def test_the_job_that_forked_failed_work_is_told(
    client: Client, make_user: Callable[..., Any]
) -> None:
    work("a", "ERROR", error=ValueError("no"))
    job = BulkJob.objects.create(
        verb="fork_from_failure", state="done", username="ada", started_at=now_ms()
    )
    BulkItem.objects.create(job=job, workflow_id="a", was="ERROR", state="done", made="a2")
    work("a2", "SUCCESS", 0, forked_from="a")
    client.force_login(make_user("chief", *VIEW, AUDIT))
    html = read(client, f"{PAGE}?state=resolved")
    group = re.search(r'href="(/workflows/errors/group/[^"]+)"', html)
    assert group is not None
    page = words(read(client, group[1].replace("&amp;", "&")))
    assert f"ada : fork from failure of 1 workflow, job #{job.pk}" in page


def test_an_incident_that_is_over_or_of_no_kind_says_so(viewer: Client) -> None:
    assert "This incident is over" in words(read(viewer, f"{PAGE}queue/none", 404))
    assert "no such kind" in words(read(viewer, f"{PAGE}weather/rain", 404))
    work("a", "ERROR", error=ValueError("no"))
    assert "/workflows/errors/group/" in read(viewer)


def test_incidents_of_what_somebody_may_not_see_are_not_there(
    client: Client, make_user: Callable[..., Any]
) -> None:
    work("stuck", "ENQUEUED", 25 * MINUTE, queue_name="mail")
    client.force_login(make_user("no"))
    assert client.get(PAGE).status_code == 403
    assert client.get(f"{PAGE}queue/mail").status_code == 403
    client.force_login(make_user("some", "dboshub_workflows.view_workflow"))
    assert listed(client) == []
    read(client, f"{PAGE}queue/mail", 404)


def test_no_number_of_incidents_takes_more_statements(viewer: Client) -> None:
    for number in range(60):
        work(
            f"w{number}",
            "ENQUEUED",
            HOUR,
            queue_name=f"q{number}",
            application_version=f"v{number}",
        )
        work(f"e{number}", "ERROR", error=ValueError("no"))
        with atomic() as session:
            add_step(session, f"e{number}", 1, f"step{number}")
        work(f"f{number}", "ENQUEUED", 0, forked_from=f"e{number}")
    read(viewer)
    with CaptureQueriesContext(connection) as caught:
        read(viewer)
    assert len(caught) <= 40, len(caught)
