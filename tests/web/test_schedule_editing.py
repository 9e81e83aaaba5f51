"""Making and changing schedules in the browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from dboshub.queues.models import Queue
from dboshub.schedules.models import Schedule
from dboshub.workflows.clock import now_ms
from dboshub.workflows.models import AuditEvent, Executor
from dboshub.workflows.payloads import read
from dboshub.workflows.payloads.inline import inline
from tests.support.runs import pickled

pytestmark = pytest.mark.django_db

NEW = "/schedules/new"
GIVEN = {
    "name": "nightly/report",
    "workflow": "report",
    "cron": "0 2 * * *",
    "timezone": "Europe/Berlin",
    "context": '{"team": "ops"}',
    "reason": "asked for",
}
VIEW = "dboshub_schedules.view_schedule"


@pytest.fixture
def admin(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("grace", VIEW, "dboshub_schedules.change_schedule"))
    return client


def publish() -> None:
    Executor.objects.create(
        incarnation="i",
        executor_id="local",
        application_name="shop",
        lease_ms=3_600_000,
        last_beat_at=now_ms(),
        functions=json.dumps({"report": {"class": "Reports"}}),
    )


def text(response: Any) -> str:
    content: str = response.content.decode()
    return content


def test_a_schedule_is_made_and_audited(admin: Client) -> None:
    publish()
    Queue.objects.create(queue_id="1", name="slow")
    more = {"application": "shop", "queue": "slow", "backfill": "on"}
    assert admin.post(NEW, GIVEN | more).status_code == 302
    made = Schedule.objects.get()
    assert (made.schedule_name, made.workflow_name) == ("nightly/report", "report")
    assert (made.schedule, made.cron_timezone) == ("0 2 * * *", "Europe/Berlin")
    assert (made.queue_name, made.automatic_backfill, made.status) == ("slow", True, "ACTIVE")
    assert (made.application_name, made.workflow_class_name) == ("shop", "Reports")
    assert inline(read(made.context, None)) == '{"team": "ops"}'
    event = AuditEvent.objects.get()
    assert (event.action, event.outcome, event.reason) == ("create", "done", "asked for")


def test_its_next_runs_are_shown_before_it_is_made(admin: Client) -> None:
    shown = text(admin.post(NEW, GIVEN | {"preview": "1"}))
    assert "02:00" in shown
    assert "Europe/Berlin" in shown
    assert not Schedule.objects.exists()


@pytest.mark.parametrize(
    ("changed", "said", "status"),
    [
        ({"cron": "nonsense"}, "Invalid cron schedule", 409),
        ({"cron": "0 0 30 2 *"}, "matches no date", 409),
        ({"timezone": "Mars/Olympus"}, "Select a valid choice", 422),
        ({"queue": "nowhere"}, "Select a valid choice", 422),
        ({"queue": "parts"}, "is partitioned", 409),
        ({"context": "{"}, "This is no JSON", 422),
        ({"name": ""}, "This field is required", 422),
    ],
)
def test_what_could_never_run_is_refused(
    admin: Client, changed: dict[str, str], said: str, status: int
) -> None:
    Queue.objects.create(queue_id="1", name="parts", partition_queue=True)
    response = admin.post(NEW, GIVEN | changed)
    assert response.status_code == status
    assert said in text(response)
    assert not Schedule.objects.exists()


def test_a_name_is_taken_once(admin: Client) -> None:
    admin.post(NEW, GIVEN)
    again = admin.post(NEW, GIVEN | {"cron": "0 3 * * *"})
    assert again.status_code == 409
    assert "already" in text(again)
    assert Schedule.objects.get().schedule == "0 2 * * *"


def test_a_change_keeps_the_context_and_what_it_did(admin: Client) -> None:
    given = pickled({"kept": {1, 2}})
    Schedule.objects.create(
        schedule_id="s",
        schedule_name="nightly/report",
        workflow_name="report",
        schedule="0 2 * * *",
        status="PAUSED",
        context=given,
        last_fired_at="2026-01-01T02:00:00+00:00",
    )
    url = "/schedules/do/change/nightly/report/"
    assert 'value="0 2 * * *"' in text(admin.get(url))
    bad = admin.post(url, {"cron": "often"})
    assert bad.status_code == 409
    assert admin.post(url, {"cron": "*/5 * * * *", "timezone": "Asia/Tokyo"}).status_code == 302
    changed = Schedule.objects.get()
    assert (changed.schedule, changed.cron_timezone) == ("*/5 * * * *", "Asia/Tokyo")
    assert (changed.context, changed.status, changed.schedule_id) == (given, "PAUSED", "s")
    assert changed.last_fired_at == "2026-01-01T02:00:00+00:00"
    assert [each.outcome for each in AuditEvent.objects.order_by("id")] == ["refused", "done"]


def test_without_the_permission_nothing_is_made_and_the_attempt_is_kept(
    client: Client, make_user: Callable[..., Any]
) -> None:
    client.force_login(make_user("viv", VIEW))
    assert client.get(NEW).status_code == 403
    assert client.post(NEW, GIVEN).status_code == 403
    assert not Schedule.objects.exists()
    assert AuditEvent.objects.get().outcome == "refused"


def test_a_schedule_may_be_called_new(admin: Client) -> None:
    admin.post(NEW, GIVEN | {"name": "new"})
    assert "report" in text(admin.get("/schedules/new/"))
