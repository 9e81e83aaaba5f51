"""Enqueueing by names and options within an application."""

from __future__ import annotations

from typing import Any

from dboshub import DBOS, DBOSClient, EnqueueOptions
from tests.client import program

TRIPLE: EnqueueOptions = {"workflow_name": "client_triple", "queue_name": "jobs"}


@DBOS.workflow(name="client_dedups")
def dedups(number: int) -> tuple[str, Any]:
    handle = DBOS.enqueue_workflow_with_options(
        {**TRIPLE, "deduplication_id": "one", "duplication_policy": "return-existing"}, number
    )
    return handle.workflow_id, handle.get_result()


async def test_an_application_enqueues_by_names(client: DBOSClient) -> None:
    handle = await DBOS.enqueue_workflow_with_options_async({**TRIPLE, "priority": 3}, 2)
    assert await handle.get_result() == 6
    status = await handle.get_status()
    assert (status.priority, status.application_name) == (3, "test-app")
    assert status.app_version == DBOS.application_version


def test_work_for_another_application_has_no_version(client: DBOSClient) -> None:
    given: EnqueueOptions = {**TRIPLE, "application_name": "shop"}
    status = DBOS.enqueue_workflow_with_options(given, 1).get_status()
    assert (status.application_name, status.app_version) == ("shop", None)


def test_within_a_workflow_the_holder_of_a_deduplication_id_becomes_the_child(
    client: DBOSClient,
) -> None:
    held: EnqueueOptions = {**TRIPLE, "deduplication_id": "one", "delay_seconds": 0.3}
    holder = client.enqueue(held, 1)
    handle = DBOS.start_workflow(dedups, 2)
    assert handle.get_result() == (holder.workflow_id, 3)
    steps = client.list_workflow_steps(handle.workflow_id)
    assert steps[0]["child_workflow_id"] == holder.workflow_id
    forked = client.fork_workflow(handle.workflow_id, 3)
    assert forked.get_result() == (holder.workflow_id, 3)


def test_what_runs_is_the_function_of_that_name(client: DBOSClient) -> None:
    assert DBOS.enqueue_workflow_with_options(TRIPLE, 5).get_result() == program.triple(5)
