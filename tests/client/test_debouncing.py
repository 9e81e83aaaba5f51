"""Of many calls in quick succession only the last one runs, once they cease."""

from __future__ import annotations

from typing import Any

import pytest

from dboshub import (
    DBOS,
    DBOSClient,
    Debouncer,
    DebouncerClient,
    EnqueueOptions,
    SetEnqueueOptions,
    SetWorkflowID,
    WorkflowHandle,
)
from dboshub.workflows.engine.errors import DBOSException, DBOSQueueDeduplicatedError
from tests.client import program

TRIPLE: EnqueueOptions = {"workflow_name": "client_triple", "queue_name": "jobs"}


def status(handle: WorkflowHandle[Any]) -> Any:
    return handle.get_status()


def test_the_last_arguments_win_and_all_callers_share_one_workflow(client: DBOSClient) -> None:
    debouncer = Debouncer.create(program.triple, queue="jobs")
    calls = ((3600, 1), (3600, 2), (0.1, 3))
    handles = [debouncer.debounce("key", seconds, number) for seconds, number in calls]
    assert len({each.workflow_id for each in handles}) == 1
    assert [each.get_result() for each in handles] == [9, 9, 9]
    assert len(client.list_workflows()) == 1


async def test_debouncing_has_an_awaited_form(client: DBOSClient) -> None:
    debouncer = Debouncer.create_async(program.triple)
    first = await debouncer.debounce_async("key", 3600, 1)
    second = await debouncer.debounce_async("key", 0.1, 2)
    assert first.workflow_id == second.workflow_id
    assert await second.get_result() == 6


def test_the_next_call_after_a_run_starts_another(client: DBOSClient) -> None:
    debouncer = Debouncer("client_triple", queue="jobs")
    first = debouncer.debounce("key", 0.01, 1)
    assert first.get_result() == 3
    second = debouncer.debounce("key", 0.01, 2)
    assert second.workflow_id != first.workflow_id
    assert second.get_result() == 6


def test_keys_are_debounced_separately(client: DBOSClient) -> None:
    debouncer = Debouncer.create(program.triple)
    ids = {debouncer.debounce(key, 3600, 1).workflow_id for key in ("a", "b", "a")}
    assert len(ids) == 2


def test_no_call_puts_it_off_beyond_the_timeout(alone: DBOSClient) -> None:
    debouncer = DebouncerClient(alone, TRIPLE, debounce_timeout_sec=10)
    first = status(debouncer.debounce("key", 3600, 1))
    assert first.delay_until_epoch_ms - first.created_at == 10_000
    again = status(debouncer.debounce("key", 3600, 2))
    assert again.delay_until_epoch_ms == first.delay_until_epoch_ms
    assert again.input == {"args": (2,), "kwargs": {}}


def test_without_a_timeout_each_call_puts_it_off(alone: DBOSClient) -> None:
    debouncer = DebouncerClient(alone, TRIPLE)
    first = status(debouncer.debounce("key", 60, 1))
    again = status(debouncer.debounce("key", 3600, 2))
    assert again.delay_until_epoch_ms - first.delay_until_epoch_ms >= 3_540_000


async def test_a_client_debounces_in_awaited_form(alone: DBOSClient) -> None:
    debouncer = DebouncerClient(alone, TRIPLE)
    first = await debouncer.debounce_async("key", 60, 1)
    second = await debouncer.debounce_async("key", 60, 2)
    assert (await first.get_status()).input == (await second.get_status()).input


def test_within_a_workflow_it_is_a_step_and_another_when_it_starts_one(client: DBOSClient) -> None:
    handle = DBOS.start_workflow(program.debounces, 1, 2)
    first, second = handle.get_result()
    assert first == second == f"{handle.workflow_id}-2"
    steps = client.list_workflow_steps(handle.workflow_id)
    postpone_debounced = "DBOS.debounce_delayed_workflow"
    assert [each["function_name"] for each in steps] == [
        postpone_debounced,
        "client_triple",
        postpone_debounced,
    ]
    assert client.retrieve_workflow(first).get_status().input == {"args": (2,), "kwargs": {}}


def test_a_holder_that_is_not_debounced_is_not_taken_over(alone: DBOSClient) -> None:
    holder: Any = {**TRIPLE, "deduplication_id": "client_triple-key", "delay_seconds": 60}
    alone.enqueue(holder, 1)
    with pytest.raises(DBOSQueueDeduplicatedError):
        DebouncerClient(alone, TRIPLE).debounce("key", 60, 2)


def test_a_chosen_id_is_that_of_the_fresh_workflow(client: DBOSClient) -> None:
    debouncer = Debouncer.create(program.triple)
    with SetWorkflowID("chosen"):
        assert debouncer.debounce("key", 3600, 1).workflow_id == "chosen"
    with SetWorkflowID("unused"):
        assert debouncer.debounce("key", 3600, 2).workflow_id == "chosen"


def test_what_debouncing_decides_cannot_be_given(client: DBOSClient) -> None:
    debouncer = Debouncer.create(program.triple)
    with SetEnqueueOptions(priority=3), pytest.raises(DBOSException, match="priority"):
        debouncer.debounce("key", 1, 1)
    given: Any = {**TRIPLE, "delay_seconds": 3}
    with pytest.raises(DBOSException, match="with a delay set"):
        DebouncerClient(client, given).debounce("key", 1, 1)
    with pytest.raises(DBOSException, match="negative"):
        debouncer.debounce("key", -1, 1)


def test_methods_are_not_debounced() -> None:
    with pytest.raises(TypeError, match="method"):
        Debouncer.create(program.Shop.method)
