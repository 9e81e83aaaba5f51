"""Many workflows started or enqueued by one call: its answers, its steps, its transactions."""

from __future__ import annotations

import math
import secrets
import threading
from collections.abc import Callable
from typing import Any

import pytest

from dboshub import (
    DBOS,
    Queue,
    SetEnqueueOptions,
    SetWorkflowID,
    WorkflowCall,
    WorkflowHandle,
    WorkflowHandleAsync,
)
from dboshub.workflows.engine.current_engine import engine
from dboshub.workflows.engine.errors import (
    DBOSConflictingWorkflowError,
    DBOSException,
    DBOSQueueDeduplicatedError,
    DBOSWorkflowFunctionNotFoundError,
    DBOSWorkflowIDInUseError,
)
from dboshub.workflows.engine.runtime import bulk_starting
from tests.support.eventually import eventually
from tests.support.statements import Statements

MANY = 1_203

queue = Queue("bulk-starts")
partitioned = Queue("bulk-partitioned", partition_queue=True, worker_concurrency=1)
Answer = WorkflowHandle[Any] | WorkflowHandleAsync[Any] | Exception


@DBOS.workflow(name="bulk_double")
def double(number: int) -> int:
    return 2 * number


@DBOS.workflow(name="bulk_double_async")
async def double_async(number: int) -> int:
    return 2 * number


@DBOS.workflow(name="bulk_other")
def other(number: int) -> int:
    return number


@DBOS.step(name="bulk_step")
def step(number: int) -> int:
    return number + 1


@DBOS.workflow(name="bulk_parent")
def parent(numbers: list[int]) -> list[int]:
    found = queue.enqueue_workflows([WorkflowCall(double, each) for each in numbers], atomic=True)
    return [each.get_result() for each in found]


def kinds(answers: list[Any]) -> list[str]:
    return [type(each).__name__ for each in answers]


def ids(answers: list[Any]) -> list[str]:
    return [each.workflow_id for each in answers]


def rows() -> list[str]:
    """The ids of all workflows, oldest first."""
    return [each.workflow_id for each in DBOS.list_workflows()]


@pytest.fixture(params=["enqueue_workflows", "start_workflows"])
def bulk(request: pytest.FixtureRequest, dbos: type[DBOS]) -> Callable[..., list[Any]]:
    if request.param == "start_workflows":
        return DBOS.start_workflows
    return lambda calls, **how: DBOS.enqueue_workflows("bulk-starts", calls, **how)


def test_each_call_has_a_handle_in_its_place(bulk: Callable[..., list[Any]]) -> None:
    answers = bulk([WorkflowCall(double, each) for each in range(MANY)])
    assert [each.get_result() for each in answers] == [2 * each for each in range(MANY)]
    assert len({*ids(answers)}) == MANY


def test_coroutines_names_and_steps_are_called_too(bulk: Callable[..., list[Any]]) -> None:
    calls = [
        WorkflowCall(double_async, number=1),
        WorkflowCall("bulk_double", 2),
        WorkflowCall(step, 3),
    ]
    assert [each.get_result() for each in bulk(calls, atomic=True)] == [2, 4, 4]


def test_nothing_is_given_and_nothing_returned(bulk: Callable[..., list[Any]]) -> None:
    assert bulk([]) == bulk(iter(())) == []


async def test_it_is_awaited(dbos: type[DBOS]) -> None:
    calls = [WorkflowCall(double_async, each) for each in range(3)]
    started = await DBOS.start_workflows_async(calls, atomic=True)
    enqueued = await DBOS.enqueue_workflows_async("bulk-starts", calls, atomic=True)
    on_queue = await queue.enqueue_workflows_async(calls, atomic=True)
    for handles in (started, enqueued, on_queue):
        assert [await each.get_result() for each in handles] == [0, 2, 4]
    with pytest.raises(RuntimeError, match="await enqueue_workflows_async"):
        queue.enqueue_workflows(calls)


def test_an_item_that_cannot_be_is_an_error_in_its_place(bulk: Callable[..., list[Any]]) -> None:
    calls: list[WorkflowCall[Any]] = [
        WorkflowCall(double, 1),
        WorkflowCall(double, threading.Lock()),  # type: ignore[arg-type]
        WorkflowCall(print, 1),
        WorkflowCall(double, 4).options(workflow_id=" "),
        WorkflowCall(double, 5),
    ]
    answers = bulk(calls)
    assert [answers[0].get_result(), answers[4].get_result()] == [2, 10]
    assert kinds(answers[1:4]) == [
        "TypeError",
        "DBOSWorkflowFunctionNotFoundError",
        "DBOSException",
    ]
    for index in (1, 2, 3):
        assert f"item {index} of" in answers[index].__notes__[-1]
    assert "argument 'number'" in str(answers[1])
    assert len(rows()) == 2
    with pytest.raises(TypeError) as refused:
        bulk(calls, atomic=True)
    assert "item 1 of" in refused.value.__notes__[-1]
    assert len(rows()) == 2


def test_options_of_queues_are_refused_without_one(dbos: type[DBOS]) -> None:
    [answer] = DBOS.start_workflows([WorkflowCall(double, 1).options(priority=3)])
    assert isinstance(answer, DBOSException)
    assert "priority" in str(answer)
    [answer] = partitioned.enqueue_workflows([WorkflowCall(double, 1)])
    assert isinstance(answer, DBOSException)
    assert "partitioned" in str(answer)
    keyed = [WorkflowCall(double, each).options(queue_partition_key="k") for each in (1, 2)]
    assert [each.get_result() for each in partitioned.enqueue_workflows(keyed, atomic=True)] == [
        2,
        4,
    ]
    with pytest.raises(DBOSException, match="unknown option retries"):
        WorkflowCall(double, 1).options(retries=3)  # type: ignore[call-arg]
    [answer] = queue.enqueue_workflows([WorkflowCall(double, 1).options(class_name="A")])
    assert isinstance(answer, DBOSException)
    with pytest.raises(DBOSException, match="name of a queue"):
        DBOS.enqueue_workflows(" ", [WorkflowCall(double, 1)])


def test_options_are_those_of_the_call_then_of_the_blocks(dbos: type[DBOS]) -> None:
    call = WorkflowCall(double, 1)
    urgent = call.options(priority=1, workflow_id="chosen", attributes={"a": 1})
    with SetEnqueueOptions(priority=7, delay_seconds=3600), SetWorkflowID("first"):
        answers = queue.enqueue_workflows([call, urgent, call], atomic=True)
    status = [each.get_status() for each in answers]
    assert [each.priority for each in status] == [7, 1, 7]
    assert [each.status for each in status] == ["DELAYED"] * 3
    assert ids(answers)[:2] == ["first", "chosen"]
    assert status[1].attributes == {"a": 1}
    assert call.given == {}


def test_ids_in_use_are_answered_as_by_a_single_call(bulk: Callable[..., list[Any]]) -> None:
    with SetWorkflowID("taken"):
        DBOS.start_workflow(double, 1).get_result()
    with SetWorkflowID("others"):
        DBOS.start_workflow(other, 1).get_result()
    answers = bulk(
        [
            WorkflowCall(double, 7).options(workflow_id="new"),
            WorkflowCall(double, 8).options(workflow_id="taken"),
            WorkflowCall(double, 9).options(workflow_id="others"),
            WorkflowCall(double, 9).options(workflow_id="new"),
            WorkflowCall(double, 9).options(workflow_id="taken", workflow_id_reuse_policy="reject"),
        ]
    )
    assert [each.get_result() for each in (*answers[:2], answers[3])] == [14, 2, 14]
    assert isinstance(answers[2], DBOSConflictingWorkflowError)
    assert isinstance(answers[4], DBOSWorkflowIDInUseError)


def test_held_deduplication_ids_are_answered_as_by_a_single_call(dbos: type[DBOS]) -> None:
    calls = [
        WorkflowCall(double, each).options(deduplication_id=key, delay_seconds=3600)
        for each, key in enumerate(["a", "b", "a"])
    ]
    answers = queue.enqueue_workflows(calls)
    assert isinstance(answers[2], DBOSQueueDeduplicatedError)
    holding = [each.options(duplication_policy="return-existing") for each in calls]
    again = queue.enqueue_workflows([*calls, *holding])
    assert kinds(again) == ["DBOSQueueDeduplicatedError"] * 3 + ["WorkflowHandle"] * 3
    first, second = ids(answers[:2])
    assert ids(again[3:]) == [first, second, first]
    assert {*rows()} == {first, second}


def test_an_atomic_call_that_is_refused_starts_nothing(bulk: Callable[..., list[Any]]) -> None:
    with SetWorkflowID("taken"):
        DBOS.start_workflow(other, 1).get_result()
    calls = [WorkflowCall(double, each) for each in range(3)]
    calls[1] = calls[1].options(workflow_id="taken")
    with pytest.raises(DBOSConflictingWorkflowError) as refused:
        bulk(calls, atomic=True)
    assert "item 1 of" in refused.value.__notes__[-1]
    assert rows() == ["taken"]
    # An id in use is no refusal if it is that of the same function.
    calls[1] = WorkflowCall(other, 1).options(workflow_id="taken")
    assert [each.get_result() for each in bulk(calls, atomic=True)] == [0, 1, 4]


def test_what_the_database_refuses_fails_no_neighbour(bulk: Callable[..., list[Any]]) -> None:
    calls = [WorkflowCall(double, each) for each in range(9)]
    calls[4] = calls[4].options(workflow_id=secrets.token_hex(50_000))
    answers = bulk(calls)
    refused = [each for each in answers if isinstance(each, Exception)]
    assert len(refused) == is_postgres()  # whose indexes have no room for such an id
    kept = [each for each in answers if not isinstance(each, Exception)]
    assert len([each.get_result() for each in kept]) == 9 - len(refused)


def is_postgres() -> bool:
    return engine().store.database.vendor == "postgresql"  # type: ignore[attr-defined]


def test_a_chunk_is_bounded_in_rows_and_size(
    bulk: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_starting, "MAX_ROWS", 4)
    monkeypatch.setattr(bulk_starting, "MAX_SIZE", 100)
    answers = bulk([WorkflowCall(double, each) for each in range(10)])
    assert [each.get_result() for each in answers] == [2 * each for each in range(10)]


# -- what it costs -------------------------------------------------------------------------------


def test_many_cost_a_statement_and_a_wake_up_for_each_chunk(dbos: type[DBOS]) -> None:
    chunks = math.ceil(MANY / bulk_starting.MAX_ROWS)
    wake_ups: list[tuple[str, bool]] = []
    engine().notices.on_enqueued = lambda *given: wake_ups.append(given)
    with Statements() as counted:
        DBOS.enqueue_workflows("nobody", [WorkflowCall(double, each) for each in range(MANY)])
    if is_postgres():
        assert counted.count("json_populate_recordset") == chunks
    else:  # where a statement is no round trip
        assert counted.count('INSERT INTO "workflow_status"') == MANY
    assert wake_ups.count(("nobody", True)) == chunks


def test_ids_in_use_cost_two_statements_more(dbos: type[DBOS]) -> None:
    calls = [WorkflowCall(double, each).options(deduplication_id=f"{each}") for each in range(400)]
    DBOS.enqueue_workflows("nobody", calls)
    with Statements() as counted:
        answers = DBOS.enqueue_workflows("nobody", calls)
    assert kinds(answers) == ["DBOSQueueDeduplicatedError"] * 400
    if is_postgres():
        each = "json_populate_recordset", 'creator_xid FROM "dbos"', "deduplication_id = ANY"
        assert [*map(counted.count, each)] == [1, 1, 1]


def test_children_cost_a_fence_and_their_steps_more(dbos: type[DBOS]) -> None:
    with Statements() as counted:
        DBOS.start_workflow(enqueues_for_nobody, 400).get_result()
    if is_postgres():
        assert counted.count("json_populate_recordset") == 1
        assert counted.count('operation_outputs" (') == 1
        assert counted.count("FOR NO KEY UPDATE\n") == 1


@DBOS.workflow(name="bulk_for_nobody")
def enqueues_for_nobody(count: int) -> None:
    DBOS.enqueue_workflows("nobody", [WorkflowCall(double, each) for each in range(count)])


# -- within a workflow ---------------------------------------------------------------------------


def test_in_a_workflow_each_is_a_child_with_a_step(dbos: type[DBOS]) -> None:
    with SetWorkflowID("p"):
        assert parent([1, 2, 3]) == [2, 4, 6]
    steps = DBOS.list_workflow_steps("p")[:3]
    assert [each["function_name"] for each in steps] == ["bulk_double"] * 3
    assert [each["child_workflow_id"] for each in steps] == ["p-1", "p-2", "p-3"]
    assert DBOS.retrieve_workflow("p-2").get_status().parent_workflow_id == "p"


@DBOS.workflow(name="bulk_mixed_parent")
def mixed_parent(how: str, *, atomic: bool = False) -> Any:
    """Whatever it is answered, as text; then it waits for ``go``."""
    calls = [
        WorkflowCall(double, 1),
        WorkflowCall(double, 2).options(workflow_id="others"),
        WorkflowCall(double, 3).options(
            deduplication_id="held", duplication_policy="return-existing"
        ),
        WorkflowCall(double, 4).options(deduplication_id="held"),
        WorkflowCall(double, 5),
    ]
    if how == "start":
        calls = [calls[0], calls[1], calls[4]]
        bulk: Callable[..., list[Any]] = DBOS.start_workflows
    else:
        bulk = queue.enqueue_workflows
    try:
        answers = bulk(calls, atomic=atomic)
    except DBOSException as error:
        return kinds([error])
    return [
        type(each).__name__ if isinstance(each, Exception) else each.workflow_id for each in answers
    ]


def hold() -> str:
    """Make two workflows that are in the way of some of those."""
    with SetWorkflowID("others"):
        DBOS.start_workflow(other, 1).get_result()
    with SetEnqueueOptions(deduplication_id="held", delay_seconds=3600), SetWorkflowID("holder"):
        return queue.enqueue(double, 0).workflow_id


@pytest.mark.parametrize("how", ["start", "enqueue"])
def test_a_replay_returns_the_same_answers(dbos: type[DBOS], how: str) -> None:
    hold()
    with SetWorkflowID("p"):
        answers = DBOS.start_workflow(mixed_parent, how).get_result()
    conflict, held = "DBOSConflictingWorkflowError", "DBOSQueueDeduplicatedError"
    expected = {
        "start": ["p-1", conflict, "p-3"],
        "enqueue": ["p-1", conflict, "holder", held, "p-5"],
    }
    assert answers == expected[how]
    before = {*rows()}
    # What was in the way is gone: only the record can answer the same.
    DBOS.delete_workflows(["others", "holder"])
    forked = DBOS.fork_workflow("p", len(answers) + 1)
    assert forked.get_result() == answers
    assert {*rows()} == (before | {forked.workflow_id}) - {"others", "holder"}


@pytest.mark.parametrize("how", ["start", "enqueue"])
def test_a_replay_of_an_atomic_refusal_starts_nothing(dbos: type[DBOS], how: str) -> None:
    hold()
    with SetWorkflowID("p"):
        answers = DBOS.start_workflow(mixed_parent, how, atomic=True).get_result()
    assert answers == ["DBOSConflictingWorkflowError"]
    assert sorted(rows()) == ["holder", "others", "p"]
    DBOS.delete_workflows(["others", "holder"])
    assert DBOS.fork_workflow("p", 6).get_result() == answers
    assert len(rows()) == 2


def test_a_crash_in_the_middle_starts_the_rest_and_nothing_twice(
    dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_starting, "MAX_ROWS", 2)
    with SetWorkflowID("p"):
        assert parent([*range(5)]) == [0, 2, 4, 6, 8]
    before = {*rows()}
    forked = DBOS.fork_workflow("p", 3)  # the first chunk is recorded, the second is not
    assert forked.get_result() == [0, 2, 4, 6, 8]
    new = {*rows()} - before
    assert new == {forked.workflow_id, *(f"{forked.workflow_id}-{n}" for n in (3, 4, 5))}


@pytest.mark.parametrize("how", ["start", "enqueue"])
def test_a_process_that_stops_in_the_middle_leaves_the_rest_to_the_next(
    launch: Callable[..., None], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    launch()
    monkeypatch.setattr(bulk_starting, "MAX_ROWS", 3)
    committed, commit = [], bulk_starting.BulkStart._commit

    def once(self: bulk_starting.BulkStart, chunk: list[Any]) -> Any:
        yield from commit(self, chunk)
        committed.append(chunk)
        if len(committed) == 2:
            raise SystemExit

    monkeypatch.setattr(bulk_starting.BulkStart, "_commit", once)
    with SetWorkflowID("p"):
        DBOS.start_workflow(starts_ten, how)
    eventually(lambda: len(committed) == 2)
    DBOS.destroy(grace_period_sec=2)
    launch()
    assert DBOS.retrieve_workflow("p").get_result() == [2 * each for each in range(10)]
    assert {*rows()} == {"p", *(f"p-{each}" for each in range(1, 11))}
    starts = [each for each in DBOS.list_workflow_steps("p") if each["function_id"] <= 10]
    assert [each["child_workflow_id"] for each in starts] == [f"p-{n}" for n in range(1, 11)]


@DBOS.workflow(name="bulk_starts_ten")
def starts_ten(how: str) -> list[int]:
    calls = [WorkflowCall(double, each) for each in range(10)]
    bulk = DBOS.start_workflows if how == "start" else queue.enqueue_workflows
    return [each.get_result() for each in bulk(calls, atomic=False)]  # type: ignore[union-attr]


def test_a_workflow_that_lost_its_row_enqueues_no_more(dbos: type[DBOS]) -> None:
    started = DBOS.start_workflow(cancels_itself)
    eventually(lambda: started.get_status().status == "CANCELLED")
    assert [*map(str, rows())] == [started.workflow_id]


@DBOS.workflow(name="bulk_cancels_itself")
def cancels_itself() -> None:
    cancel_me(str(DBOS.workflow_id))
    DBOS.enqueue_workflows("bulk-starts", [WorkflowCall(double, 1)])


@DBOS.step(name="bulk_cancel_me")
def cancel_me(workflow_id: str) -> None:
    engine().store.cancel([workflow_id], children=False, now=engine().clock.now_ms())


@DBOS.step(name="bulk_within_step")
def within_step() -> None:
    DBOS.start_workflows([WorkflowCall(double, 1)])


@DBOS.workflow(name="bulk_step_parent")
def step_parent() -> None:
    within_step()


def test_a_step_starts_none(dbos: type[DBOS]) -> None:
    with pytest.raises(AssertionError, match="from within a step"):
        step_parent()


def test_another_function_is_unknown(dbos: type[DBOS]) -> None:
    [answer] = DBOS.start_workflows([WorkflowCall(len, [])])
    assert isinstance(answer, DBOSWorkflowFunctionNotFoundError)
