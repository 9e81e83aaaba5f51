"""Many workflows enqueued by one call of a client, which names their functions."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dboshub import DBOSClient, SendMessage, SetEnqueueOptions, WorkflowCall, WorkflowHandle
from dboshub.workflows.engine.errors import DBOSException, DBOSQueueDeduplicatedError
from tests.client import program
from tests.client.test_transactions import Begin, begin

__all__ = ["begin"]

TRIPLES = [WorkflowCall("client_triple", each) for each in range(3)]


def test_a_worker_runs_what_a_client_enqueues(client: DBOSClient) -> None:
    handles = client.enqueue_workflows("jobs", TRIPLES, atomic=True)
    assert [each.get_result() for each in handles] == [0, 3, 6]
    awaited = client.enqueue_workflows_async("jobs", TRIPLES)
    answers = asyncio.run(awaited)
    assert [each.workflow_id for each in answers if not isinstance(each, Exception)]


def test_a_row_is_that_of_a_single_call(alone: DBOSClient) -> None:
    options: Any = {
        "priority": 4,
        "app_version": "v7",
        "workflow_timeout": 9,
        "authenticated_user": "ada",
        "authenticated_roles": ["admin"],
        "class_name": "Shop",
        "attributes": {"customer": 1},
        "application_name": "shop",
    }
    single = alone.enqueue({**options, "workflow_name": "w", "queue_name": "jobs"}, 1, two=2)
    with SetEnqueueOptions(priority=9):  # a client's calls ignore blocks
        [bulk] = alone.enqueue_workflows(
            "jobs", [WorkflowCall("w", 1, two=2).options(**options)], atomic=True
        )
    drawn = {"workflow_id", "created_at", "updated_at"}
    one, other = (
        {key: value for key, value in vars(each.get_status()).items() if key not in drawn}
        for each in (single, bulk)
    )
    assert one == other
    assert one["priority"] == 4


def test_a_function_of_this_process_is_as_good_as_its_name(client: DBOSClient) -> None:
    calls = [WorkflowCall(program.triple, 1), WorkflowCall(program.Shop.method)]
    handles = client.enqueue_workflows("jobs", calls, atomic=True)
    assert [each.get_result() for each in handles] == [3, None]


def test_they_come_with_the_callers_transaction(alone: DBOSClient, begin: Begin) -> None:
    held = TRIPLES[0].options(deduplication_id="one")
    with begin() as caller:
        answers = alone.enqueue_workflows_in_transaction(caller, "jobs", [held, *TRIPLES, held])
        assert alone.list_workflows() == []
    assert isinstance(answers[4], DBOSQueueDeduplicatedError)
    handles = [each for each in answers if isinstance(each, WorkflowHandle)]
    assert {each.workflow_id for each in handles} == {
        each.workflow_id for each in alone.list_workflows()
    }


def test_the_callers_transaction_goes_on_after_a_refusal(alone: DBOSClient, begin: Begin) -> None:
    held = TRIPLES[0].options(deduplication_id="one")
    returning = held.options(duplication_policy="return-existing")
    alone.enqueue_workflows("jobs", [held])
    with begin() as caller:
        with pytest.raises(DBOSQueueDeduplicatedError):
            alone.enqueue_workflows_in_transaction(caller, "jobs", [*TRIPLES, held], atomic=True)
        with pytest.raises(DBOSException, match="not supported"):
            alone.enqueue_workflows_in_transaction(caller, "jobs", [returning])
        [answer] = alone.enqueue_workflows_in_transaction(caller, "jobs", TRIPLES[:1])
    assert isinstance(answer, WorkflowHandle)
    assert len(alone.list_workflows()) == 2


def test_a_client_is_told_which_messages_have_no_destination(alone: DBOSClient) -> None:
    [handle] = alone.enqueue_workflows("jobs", TRIPLES[:1], atomic=True)
    known, unknown = SendMessage(handle.workflow_id, 1), SendMessage("nobody", 1)
    assert alone.send_bulk([known, known]) is None
    answers = alone.send_bulk([known, unknown], atomic=False)
    assert [type(each).__name__ for each in answers] == ["NoneType", "DBOSNonExistentWorkflowError"]
