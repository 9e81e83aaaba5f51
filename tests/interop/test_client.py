"""The client of dbos drives our executors: work, results, events, streams, messages."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from dbos import DBOSClient, PortableWorkflowError, WorkflowSerializationFormat

from tests.interop.conftest import Run
from tests.interop.executors import OURS, Executor, library_url

pytestmark = pytest.mark.interop

Ask = Callable[..., list[tuple[Any, ...]]]
INPUT = "SELECT inputs FROM {workflow_input} WHERE workflow_uuid = :id"


@pytest.fixture
def ours(run: Run) -> Executor:
    executor = run(OURS)
    executor.do("queue", "shared")
    return executor


@pytest.fixture
def client(ours: Executor, database_url: str) -> Iterator[DBOSClient]:
    opened = DBOSClient(system_database_url=library_url(database_url))
    yield opened
    opened.destroy()


def enqueue(client: DBOSClient, name: str, *args: Any, **kwargs: Any) -> Any:
    return client.enqueue({"workflow_name": name, "queue_name": "shared"}, *args, **kwargs)


def test_pickled_work_runs_and_its_result_comes_back(client: DBOSClient) -> None:
    assert enqueue(client, "triple", 14).get_result(polling_interval_sec=0.05) == 42


def test_portable_work_runs_and_its_result_comes_back(client: DBOSClient, ask: Ask) -> None:
    handle: Any = client.enqueue(
        {
            "workflow_name": "portable",
            "queue_name": "shared",
            "serialization_type": WorkflowSerializationFormat.PORTABLE,
        },
        4,
        when="now",
    )
    assert handle.get_result(polling_interval_sec=0.05) == {"doubled": 8, "when": "now"}
    [(inputs,)] = ask(INPUT, id=handle.workflow_id)
    assert inputs == '{"namedArgs":{"when":"now"},"positionalArgs":[4]}'
    assert client.get_event(handle.workflow_id, "when") == "now"


def test_errors_come_back_as_what_they_were(client: DBOSClient) -> None:
    with pytest.raises(ValueError, match="on purpose"):
        enqueue(client, "fails", "on purpose").get_result(polling_interval_sec=0.05)


def test_portable_errors_come_back_as_portable_ones(client: DBOSClient) -> None:
    handle: Any = client.enqueue(
        {
            "workflow_name": "fails",
            "queue_name": "shared",
            "serialization_type": WorkflowSerializationFormat.PORTABLE,
        },
        "on purpose",
    )
    with pytest.raises(PortableWorkflowError, match="on purpose") as raised:
        handle.get_result(polling_interval_sec=0.05)
    assert raised.value.name == "ValueError"


def test_events_and_streams_are_read_and_a_message_is_heard(client: DBOSClient) -> None:
    handle = enqueue(client, "talks", ["to", "and", "fro"])
    assert client.get_event(handle.workflow_id, "count", 20) == 3
    assert list(client.read_stream(handle.workflow_id, "words")) == ["to", "and", "fro"]
    client.send(handle.workflow_id, "you", "topic")
    assert handle.get_result(polling_interval_sec=0.05) == "heard you"


def test_it_lists_what_ours_ran_with_arguments_results_and_steps(
    client: DBOSClient, ours: Executor
) -> None:
    ours.do("start", "every_call", "run")
    ours.do("result", "run")
    [status] = client.list_workflows(workflow_ids=["run"])
    assert (status.status, status.name, status.output) == ("SUCCESS", "every_call", "done")
    assert status.input == {"args": (), "kwargs": {}}
    steps = client.list_workflow_steps("run")
    assert steps[0]["function_name"] == "double"
    assert steps[0]["output"] == 2
    assert isinstance(steps[1]["error"], ValueError)
    assert pickle.loads(pickle.dumps(steps))


def test_it_steers_what_ours_runs(client: DBOSClient, ours: Executor) -> None:
    ours.do("enqueue", "unserved", "triple", "run", 5)
    client.cancel_workflow("run")
    assert client.retrieve_workflow("run").get_status().status == "CANCELLED"
    client.resume_workflow("run")
    assert ours.do("result", "run") == 15
    assert client.fork_workflow("run", 1).get_result(polling_interval_sec=0.05) == 15
    client.delete_workflow("run")
    ours.ask("result", "run")
    assert ours.answer()[0] == "DBOSNonExistentWorkflowError"
