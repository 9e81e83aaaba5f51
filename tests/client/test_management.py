"""A client steers workflows of a database where nothing runs; each call has an awaited twin."""

from __future__ import annotations

import pytest

from dboshub import DBOS, DBOSClient, EnqueueOptions, SetWorkflowID
from dboshub.workflows.engine.errors import DBOSException
from tests.client import program

WAITING: EnqueueOptions = {"workflow_name": "client_triple", "queue_name": "nobody-serves-it"}
FAR = 32_503_680_000_000  # the year 3000


def of(client: DBOSClient, *ids: str) -> list[str]:
    return [client.retrieve_workflow(each).get_status().status for each in ids]


def waiting(client: DBOSClient, *ids: str) -> list[str]:
    for each in ids:
        client.enqueue({**WAITING, "workflow_id": each}, 1)
    return [*ids]


def test_several_are_cancelled_and_resumed_at_once(alone: DBOSClient) -> None:
    ids = waiting(alone, "a", "b", "c")
    alone.cancel_workflows(["a", "b"])
    assert of(alone, *ids) == ["CANCELLED", "CANCELLED", "ENQUEUED"]
    resumed = alone.resume_workflows(["a", "b"], queue_name="elsewhere")
    assert [each.workflow_id for each in resumed] == ["a", "b"]
    assert [each.get_status().queue_name for each in resumed] == ["elsewhere", "elsewhere"]
    assert of(alone, *ids) == ["ENQUEUED"] * 3


async def test_the_awaited_twins_steer_alike(alone: DBOSClient) -> None:
    for each in ("a", "b"):
        await alone.enqueue_async({**WAITING, "workflow_id": each}, 1)
    await alone.enqueue_async({**WAITING, "workflow_id": "d", "delay_seconds": 3600}, 1)
    await alone.cancel_workflows_async(["a", "b"])
    [resumed] = await alone.resume_workflows_async(["a"])
    assert (await resumed.get_status()).status == "ENQUEUED"
    await alone.set_workflow_delay_async("d", delay_until_epoch_ms=FAR)
    await alone.update_workflow_attributes_async("d", {"customer": "ada"})
    [delayed] = await alone.list_workflows_async(status="DELAYED")
    assert (delayed.delay_until_epoch_ms, delayed.attributes) == (FAR, {"customer": "ada"})
    moved = await alone.export_workflow_async("b")
    await alone.delete_workflow_async("b")
    [again] = await alone.import_workflow_async(moved)
    assert (await again.get_status()).status == "CANCELLED"
    rewound = await alone.rewind_workflow_async("b", queue_name="elsewhere")
    assert (await rewound.get_status()).queue_name == "elsewhere"
    [fork] = await alone.fork_from_failure_async(["b"], from_step=1)
    assert (await fork.get_status()).forked_from == "b"


def test_a_delay_is_put_off_where_there_is_one(alone: DBOSClient) -> None:
    delayed = alone.enqueue({**WAITING, "delay_seconds": 3600}, 1)
    first = delayed.get_status().delay_until_epoch_ms
    alone.set_workflow_delay(delayed.workflow_id, delay_seconds=7200)
    second = delayed.get_status().delay_until_epoch_ms
    assert first + 3_000_000 < second
    waiting(alone, "a")
    alone.set_workflow_delay("a", delay_seconds=7200)
    assert of(alone, delayed.workflow_id, "a") == ["DELAYED", "ENQUEUED"]
    with pytest.raises(DBOSException, match="delay"):
        alone.set_workflow_delay("a")


def test_attributes_are_replaced_merged_and_removed(alone: DBOSClient) -> None:
    waiting(alone, "a")
    status = alone.retrieve_workflow("a").get_status
    alone.update_workflow_attributes("a", {"customer": "ada", "size": 1})
    alone.update_workflow_attributes("a", {"size": 2}, merge=True)
    assert status().attributes == {"customer": "ada", "size": 2}
    alone.update_workflow_attributes("a", {"size": 3})
    assert status().attributes == {"size": 3}
    alone.update_workflow_attributes("a", None)
    assert not status().attributes


def test_a_failed_workflow_is_forked_rewound_and_moved(client: DBOSClient) -> None:
    with SetWorkflowID("f"):
        failed = DBOS.enqueue_workflow("jobs", program.fail, "on purpose")
    with pytest.raises(ValueError, match="on purpose"):
        failed.get_result()
    [fork] = client.fork_from_failure(["f"], from_step=1, queue_name="nobody-serves-it")
    assert fork.get_status().forked_from == "f"
    assert client.rewind_workflow("f", queue_name="nobody-serves-it").workflow_id == "f"
    assert of(client, "f", fork.workflow_id) == ["ENQUEUED", "ENQUEUED"]
    client.cancel_workflow("f")
    moved = client.export_workflow("f")
    client.delete_workflow("f")
    assert [each.workflow_id for each in client.import_workflow(moved)] == ["f"]
    # Given back to a queue that is served it fails once more, as what it is.
    client.resume_workflow("f", queue_name="jobs")
    with pytest.raises(ValueError, match="on purpose"):
        DBOS.retrieve_workflow("f").get_result()
