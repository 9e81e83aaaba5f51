"""Our client drives a real executor of dbos, on a database that dbos made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dboshub import DBOSClient, DebouncerClient, WorkflowSerializationFormat
from tests.interop.conftest import Run
from tests.interop.executors import THEIRS, Executor

pytestmark = pytest.mark.interop

TRIPLE: Any = {"workflow_name": "triple", "queue_name": "shared"}


@pytest.fixture
def theirs(run: Run) -> Executor:
    executor = run(THEIRS)
    executor.do("queue", "shared")
    return executor


@pytest.fixture
def client(theirs: Executor, database_url: str) -> Iterator[DBOSClient]:
    opened = DBOSClient(system_database_url=database_url)
    yield opened
    opened.destroy()


def test_pickled_and_portable_work_runs_and_its_result_comes_back(client: DBOSClient) -> None:
    assert client.enqueue(TRIPLE, 14).get_result() == 42
    portable = {**TRIPLE, "serialization_type": WorkflowSerializationFormat.PORTABLE}
    assert client.enqueue(portable, 5).get_result() == 15


def test_errors_come_back_as_what_they_were(client: DBOSClient) -> None:
    with pytest.raises(ValueError, match="on purpose"):
        client.enqueue({**TRIPLE, "workflow_name": "fails"}, "on purpose").get_result()


def test_events_and_streams_are_read_and_a_message_is_heard(client: DBOSClient) -> None:
    handle = client.enqueue({**TRIPLE, "workflow_name": "talks"}, ["to", "fro"])
    assert client.get_event(handle.workflow_id, "count", 20) == 2
    assert list(client.read_stream(handle.workflow_id, "words")) == ["to", "fro"]
    client.send(handle.workflow_id, "you", "topic")
    assert handle.get_result() == "heard you"


def test_what_it_debounces_runs_once_with_the_last_arguments(client: DBOSClient) -> None:
    debouncer = DebouncerClient(client, TRIPLE)
    handles = [debouncer.debounce("key", *call) for call in ((3600, 1), (0.1, 2))]
    assert [each.get_result() for each in handles] == [6, 6]


def test_it_steers_what_theirs_runs(client: DBOSClient) -> None:
    handle = client.enqueue({**TRIPLE, "delay_seconds": 3600}, 5)
    client.cancel_workflow(handle.workflow_id)
    assert handle.get_status().status == "CANCELLED"
    client.resume_workflow(handle.workflow_id, queue_name="shared")
    assert handle.get_result() == 15
    client.delete_workflow(handle.workflow_id)
    assert client.list_workflows(workflow_ids=[handle.workflow_id]) == []


def test_it_changes_and_deletes_queues_of_theirs(client: DBOSClient) -> None:
    client.register_queue("shared", worker_concurrency=2)
    assert client.retrieve_queue("shared").worker_concurrency == 2
    client.delete_queue("shared")
    assert client.list_queues() == []
