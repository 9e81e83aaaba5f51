"""A client's queues, schedules and versions, of applications that need not run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dboshub import DBOS, DBOSClient
from dboshub.workflows.engine.errors import DBOSException
from tests.client.conftest import MakeClient

EVERY_HOUR: Any = {
    "schedule_name": "hourly",
    "workflow_name": "report",
    "schedule": "0 * * * *",
    "context": {"to": "ada"},
}


def test_queues_are_registered_changed_and_deleted(alone: DBOSClient) -> None:
    alone.register_queue("jobs", global_concurrency=3)
    assert alone.register_queue("jobs", global_concurrency=5).global_concurrency == 5
    queue = alone.retrieve_queue("jobs")
    queue.set_worker_concurrency(2)
    assert alone.retrieve_queue("jobs").worker_concurrency == 2
    assert [each.name for each in alone.list_queues()] == ["jobs"]
    alone.delete_queue("jobs")
    assert alone.retrieve_queue("jobs") is None


def test_a_queue_belongs_to_the_application_it_is_registered_for(
    alone: DBOSClient, make_client: MakeClient
) -> None:
    alone.register_queue("shops", application_name="shop")
    alone.register_queue("anybodys")
    bank = make_client(application_name="bank")
    assert [each.name for each in bank.list_queues()] == ["anybodys"]
    found = bank.list_queues(application_name="shop")
    assert [each.name for each in found] == ["anybodys", "shops"]
    with pytest.raises(DBOSException, match="registered by application 'shop'"):
        bank.register_queue("shops")
    alone.register_queue("shops", worker_concurrency=1)
    found = alone.list_queues(application_name="shop")
    assert [each.name for each in found] == ["anybodys", "shops"]


def test_schedules_are_created_paused_changed_and_deleted(alone: DBOSClient) -> None:
    alone.create_schedule(**EVERY_HOUR)
    with pytest.raises(DBOSException, match="already"):
        alone.create_schedule(**EVERY_HOUR)
    alone.pause_schedule("hourly")
    assert alone.get_schedule("hourly")["status"] == "PAUSED"
    alone.apply_schedules([{**EVERY_HOUR, "schedule": "30 * * * *"}])
    found = alone.get_schedule("hourly")
    assert (found["schedule"], found["context"], found["status"]) == (
        "30 * * * *",
        {"to": "ada"},
        "PAUSED",
    )
    alone.resume_schedule("hourly")
    assert [each["schedule_name"] for each in alone.list_schedules(status="ACTIVE")] == ["hourly"]
    alone.delete_schedule("hourly")
    assert alone.get_schedule("hourly") is None


async def test_schedules_have_an_awaited_form(alone: DBOSClient) -> None:
    await alone.create_schedule_async(**EVERY_HOUR)
    assert (await alone.get_schedule_async("hourly"))["workflow_name"] == "report"
    assert len(await alone.list_schedules_async()) == 1


def test_runs_of_a_schedule_are_started_and_made_up_for(alone: DBOSClient) -> None:
    alone.create_schedule(**EVERY_HOUR)
    triggered = alone.trigger_schedule("hourly").get_status()
    assert (triggered.status, triggered.name) == ("ENQUEUED", "report")
    assert triggered.input["args"][1] == {"to": "ada"}
    start, end = datetime(2026, 1, 1, 0, 30, tzinfo=UTC), datetime(2026, 1, 1, 3, 30, tzinfo=UTC)
    assert len(alone.backfill_schedule("hourly", start, end)) == 3
    assert len(alone.list_workflows()) == 4


@pytest.mark.parametrize("change", [{"schedule": "never"}, {"cron_timezone": "Mars/Base"}])
def test_a_schedule_that_could_never_run_is_refused(
    alone: DBOSClient, change: dict[str, str]
) -> None:
    with pytest.raises(DBOSException):
        alone.create_schedule(**{**EVERY_HOUR, **change})


def test_versions_are_listed_and_promoted(client: DBOSClient) -> None:
    own = DBOS.application_version
    assert client.get_latest_application_version()["version_name"] == own
    client.set_latest_application_version("unknown")
    client.set_latest_application_version(own, application_name="test-app")
    assert [each["version_name"] for each in client.list_application_versions()] == [own]
