"""Queues shared with other programs: the client of the real library, and plain SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from dbos import DBOSClient

from dboshub.runtime.lifecycle import Runtime
from tests.queues.test_api import DBOS, launch, queue_quadruple

__all__ = ["launch"]

NAME = "queue_quadruple"


@pytest.fixture
def client(database_url: str, launch: Callable[..., Runtime]) -> Iterator[DBOSClient]:
    """The library's own client, on a database where an engine of ours runs queue "shared"."""
    launch(application_version="v1")
    DBOS.register_queue("shared", polling_interval_sec=0.05)
    url = database_url.replace("postgresql://", "postgresql+psycopg://")
    opened = DBOSClient(system_database_url=url)
    yield opened
    opened.destroy()


def test_what_the_librarys_client_enqueues_runs_here_and_it_reads_the_result(
    client: DBOSClient,
) -> None:
    handle = client.enqueue({"workflow_name": NAME, "queue_name": "shared"}, 3)
    assert handle.get_result(polling_interval_sec=0.05) == 12
    assert handle.get_status().app_version == "v1"


def test_the_librarys_client_sees_our_enqueued_work(client: DBOSClient) -> None:
    handle = DBOS.enqueue_workflow("unserved", queue_quadruple, 3)
    [waiting] = client.list_queued_workflows(queue_name="unserved")
    assert waiting.workflow_id == handle.workflow_id
    assert waiting.status == "ENQUEUED"
    assert waiting.input == {"args": (3,), "kwargs": {}}


def test_its_delay_priority_and_deduplication_mean_the_same_here(client: DBOSClient) -> None:
    options = {"workflow_name": NAME, "queue_name": "shared"}
    delayed = client.enqueue({**options, "delay_seconds": 0.2, "deduplication_id": "x"}, 1)
    assert delayed.get_status().status == "DELAYED"
    assert delayed.get_result(polling_interval_sec=0.05) == 4
    assert client.enqueue({**options, "deduplication_id": "x", "priority": 9}, 2).get_result() == 8


def test_its_timeout_counts_from_our_claim(client: DBOSClient) -> None:
    handle = client.enqueue(
        {"workflow_name": NAME, "queue_name": "shared", "workflow_timeout": 60}, 1
    )
    assert handle.get_result(polling_interval_sec=0.05) == 4
    status = handle.get_status()
    assert status.workflow_deadline_epoch_ms == status.dequeued_at + 60_000


def test_its_partition_keys_are_ours(client: DBOSClient) -> None:
    DBOS.register_queue("lanes", partition_concurrency=1, polling_interval_sec=0.05)
    handles = [
        client.enqueue(
            {"workflow_name": NAME, "queue_name": "lanes", "queue_partition_key": key}, number
        )
        for number, key in enumerate(("a", "b", "a"))
    ]
    assert [each.get_result(polling_interval_sec=0.05) for each in handles] == [0, 4, 8]


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_row_written_by_the_sql_function_runs(client: DBOSClient, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT dbos.enqueue_workflow(%s, 'shared', ARRAY['5'::json])", [NAME]
        ).fetchone()
    assert row is not None
    assert DBOS.retrieve_workflow(row[0]).get_result() == 20


def test_work_of_another_version_waits_for_that_version(client: DBOSClient) -> None:
    left = client.enqueue({"workflow_name": NAME, "queue_name": "shared", "app_version": "v0"}, 1)
    taken = client.enqueue({"workflow_name": NAME, "queue_name": "shared"}, 2)
    assert taken.get_result(polling_interval_sec=0.05) == 8
    assert left.get_status().status == "ENQUEUED"
