"""Figures over workflows and steps, as the rows say them."""

from __future__ import annotations

from typing import Any

import pytest

from dboshub import DBOS, DBOSClient
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.storage.database import Database
from tests.client.conftest import MakeClient, alone, make_client
from tests.support.runs import T0, add_step, add_workflow

__all__ = ["alone", "make_client"]

MINUTE = 60_000


@pytest.fixture
def client(database: Database, alone: DBOSClient) -> DBOSClient:
    """Three workflows of a shop, one of another application, and their steps."""
    with database.writing() as session:
        add_workflow(session, "a1", queue_name="q", started_at_epoch_ms=T0 + 700)
        add_workflow(session, "a2", "ERROR", error="no")
        add_workflow(session, "a3", "PENDING", created_at=T0 + MINUTE, name="refund")
        add_workflow(session, "b1", application_name="bank", application_version="v2")
        add_step(session, "a1", 1, "charge", 0, 30)
        add_step(session, "a1", 2, "ship", 30, 1_000)
        add_step(session, "a2", 1, "charge", 0, 90, error="no")
        add_step(session, "a3", 1, "charge", MINUTE, None)
    return alone


def test_workflows_are_counted_by_what_they_are_grouped_by(client: DBOSClient) -> None:
    found = client.get_workflow_aggregates(group_by_status=True, group_by_name=True)
    assert {(each["group"]["name"], each["group"]["status"]): each["count"] for each in found} == {
        ("checkout", "ERROR"): 1,
        ("checkout", "SUCCESS"): 2,
        ("refund", "PENDING"): 1,
    }
    assert found[0]["min_created_at"] is None


def test_without_groups_there_is_one_row_of_all(client: DBOSClient) -> None:
    (all_of_them,) = client.get_workflow_aggregates(
        select_min_created_at=True,
        select_max_queue_wait_ms=True,
        select_max_total_latency_ms=True,
    )
    assert all_of_them == {
        "group": {},
        "count": 4,
        "min_created_at": T0,
        "max_queue_wait_ms": 700,
        "max_total_latency_ms": 4_000,
    }


def test_buckets_begin_at_multiples_of_their_size(client: DBOSClient) -> None:
    found = client.get_workflow_aggregates(time_bucket_size_ms=MINUTE)
    assert [(each["group"]["time_bucket"], each["count"]) for each in found] == [
        (T0 - T0 % MINUTE, 3),
        (T0 - T0 % MINUTE + MINUTE, 1),
    ]


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"application_name": "bank"}, 1),
        ({"status": ["ERROR", "PENDING"]}, 2),
        ({"workflow_id_prefix": "a"}, 3),
        ({"queue_name": "q"}, 1),
        ({"app_version": "v2"}, 1),
        ({"end_time": "2020-01-01T00:00:00+00:00"}, 0),
    ],
)
def test_filters_are_those_of_listings(
    client: DBOSClient, filters: dict[str, Any], count: int
) -> None:
    assert client.get_workflow_aggregates(**filters)[0]["count"] == count


def test_steps_are_counted_and_their_longest_found(client: DBOSClient) -> None:
    found = client.get_step_aggregates(
        group_by_function_name=True, group_by_status=True, select_max_duration_ms=True
    )
    figures = {
        tuple(each["group"].values()): (each["count"], each["max_duration_ms"]) for each in found
    }
    assert figures == {
        ("charge", "ERROR"): (1, 90),
        ("charge", "SUCCESS"): (2, 30),
        ("ship", "SUCCESS"): (1, 970),
    }
    (failed,) = client.get_step_aggregates(status="ERROR", function_name="charge")
    assert failed["count"] == 1
    buckets = client.get_step_aggregates(time_bucket_size_ms=MINUTE, workflow_id_prefix="a1")
    assert [each["count"] for each in buckets] == [2]


def test_metrics_count_from_a_time_up_to_another(client: DBOSClient) -> None:
    first, last = "2026-09-21T13:00:00+00:00", "2026-09-21T15:00:00+00:00"
    found = client.get_metrics(first, last)
    assert {(each["metric_type"], each["metric_name"]): each["value"] for each in found} == {
        ("workflow_count", "checkout"): 3,
        ("workflow_count", "refund"): 1,
        ("step_count", "charge"): 2,
        ("step_count", "ship"): 1,
    }
    assert client.get_metrics(first, first) == []
    only = client.get_metrics(first, last, application_name="bank")
    assert {each["metric_name"] for each in only} == {"checkout", "charge", "ship"}


def test_what_cannot_be_asked_is_explained(client: DBOSClient) -> None:
    with pytest.raises(DBOSException, match="select at least one"):
        client.get_workflow_aggregates(select_count=False)
    with pytest.raises(DBOSException, match="whole milliseconds"):
        client.get_step_aggregates(time_bucket_size_ms=0)
    with pytest.raises(DBOSException, match="unknown metric class"):
        client.get_metrics("2026-01-01", "2026-01-02", metric_class="mood")
    with pytest.raises(TypeError, match="unknown filter nmae"):
        client.get_workflow_aggregates(nmae="x")


def test_an_application_counts_its_own_and_what_nobody_claimed(
    database: Database, make_client: MakeClient
) -> None:
    with database.writing() as session:
        add_workflow(session, "mine", application_name="shop")
        add_workflow(session, "nobodys", application_name=None)
        add_workflow(session, "theirs", application_name="bank")
    shop = make_client(application_name="shop")
    assert shop.get_workflow_aggregates()[0]["count"] == 2


async def test_aggregates_have_an_awaited_form(client: DBOSClient) -> None:
    assert (await client.get_workflow_aggregates_async())[0]["count"] == 4
    assert (await client.get_step_aggregates_async())[0]["count"] == 4
    assert await client.get_metrics_async("2020-01-01", "2020-01-02") == []


@DBOS.workflow()
def counting() -> int:
    figures = DBOS.get_workflow_aggregates(status="PENDING")
    DBOS.get_step_aggregates(group_by_status=True)
    DBOS.get_metrics("2020-01-01", "2020-01-02")
    count: int = figures[0]["count"]
    return count


def test_figures_inside_a_workflow_are_recorded(dbos: type[DBOS]) -> None:
    handle = DBOS.start_workflow(counting)
    assert handle.get_result() == 1
    names = [each["function_name"] for each in DBOS.list_workflow_steps(handle.workflow_id)]
    assert names == ["DBOS.getWorkflowAggregates", "DBOS.getStepAggregates", "DBOS.getMetrics"]
