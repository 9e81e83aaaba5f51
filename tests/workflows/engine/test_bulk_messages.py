"""Many messages at once, messages to forks, and single values of streams."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from dboshub import DBOS, SendMessage, SetWorkflowID
from dboshub.workflows.engine.current_engine import engine
from dboshub.workflows.engine.errors import (
    DBOSException,
    DBOSNonExistentWorkflowError,
    DBOSStreamTimeoutError,
)
from dboshub.workflows.engine.operations import sending_each
from dboshub.workflows.engine.operations.message_ids import MessageIds
from tests.support.eventually import eventually, next_millisecond
from tests.support.statements import Statements


@DBOS.workflow()
def bulk_receives(count: int) -> list[Any]:
    return [DBOS.recv("t", 10) for _ in range(count)]


@DBOS.workflow()
def bulk_sends(destinations: list[str]) -> str:
    try:
        DBOS.send_bulk([SendMessage(each, f"to {each}", "t") for each in destinations])
    except DBOSNonExistentWorkflowError as error:
        return error.destination_id
    return "sent"


@DBOS.workflow()
def bulk_to_forks(destination: str) -> None:
    DBOS.send(destination, "news", "t", send_to_forks=True)


@DBOS.workflow()
def bulk_streams(count: int, close: bool) -> None:
    for number in range(count):
        DBOS.write_stream("out", number)
    if close:
        DBOS.close_stream("out")
    DBOS.recv("end", 10)


@DBOS.workflow()
def bulk_reads(workflow_id: str, offset: int) -> Any:
    return DBOS.read_stream_offset(workflow_id, "out", offset, timeout_seconds=10)


def names(workflow_id: str) -> list[str]:
    return [step["function_name"] for step in DBOS.list_workflow_steps(workflow_id)]


def begin(workflow_id: str, count: int) -> Any:
    with SetWorkflowID(workflow_id):
        return DBOS.start_workflow(bulk_receives, count)


def test_a_bulk_arrives_in_its_order(dbos: type[DBOS]) -> None:
    first, second = begin("a", 20), begin("b", 1)
    DBOS.send_bulk([SendMessage("a", n, "t") for n in range(20)] + [SendMessage("b", "x", "t")])
    assert first.get_result() == [*range(20)]
    assert second.get_result() == ["x"]
    DBOS.send_bulk([])


def test_a_bulk_in_a_workflow_is_one_step_and_sent_once(dbos: type[DBOS]) -> None:
    receiving = begin("a", 2)
    with SetWorkflowID("s"):
        assert bulk_sends(["a", "a"]) == "sent"
    assert receiving.get_result() == ["to a", "to a"]
    [step] = DBOS.list_workflow_steps("s")
    assert (step["function_name"], step["output"], step["error"]) == ("DBOS.send_bulk", None, None)
    assert DBOS.fork_workflow("s", 2).get_result() == "sent"


@DBOS.workflow()
def bulk_sends_each(destinations: list[str]) -> list[str]:
    messages = [SendMessage(each, f"to {each}", "t") for each in destinations]
    return [*map(str, DBOS.send_bulk(messages, atomic=False))]


@DBOS.step()
def bulk_step_sends_each(destinations: list[str]) -> list[str]:
    messages = [SendMessage(each, f"to {each}", "t") for each in destinations]
    return [*map(str, DBOS.send_bulk(messages, atomic=False))]


@DBOS.workflow()
def bulk_sends_each_in_a_step(destinations: list[str]) -> list[str]:
    return bulk_step_sends_each(destinations)


def test_each_message_has_an_answer_in_its_place(
    dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending_each, "MAX_ROWS", 3)
    receiving = begin("a", 6)
    messages = [SendMessage("a", each, "t") for each in range(6)]
    messages[2:2] = [SendMessage("nobody", "lost"), SendMessage("a", threading.Lock(), "t")]
    answers = DBOS.send_bulk(messages, atomic=False)
    assert [type(each).__name__ for each in answers[2:4]] == [
        "DBOSNonExistentWorkflowError",
        "TypeError",
    ]
    assert [each for each in answers if each is None] == [None] * 6
    for place in (2, 3):
        error = answers[place]
        assert error is not None
        assert f"item {place} of send_bulk" in error.__notes__[-1]
    assert receiving.get_result() == [*range(6)]
    assert DBOS.send_bulk([], atomic=False) == []


@pytest.mark.parametrize("sends", [bulk_sends_each, bulk_sends_each_in_a_step])
def test_a_replay_of_a_bulk_gives_the_same_answers(dbos: type[DBOS], sends: Any) -> None:
    receiving = begin("a", 3)
    with SetWorkflowID("s"):
        answers = sends(["a", "nobody", "a"])
    lost = str(DBOSNonExistentWorkflowError("`send` destination", "nobody"))
    assert answers == ["None", lost, "None"]
    with SetWorkflowID("nobody"):
        DBOS.start_workflow(bulk_receives, 0).get_result()
    assert DBOS.fork_workflow("s", 2).get_result() == answers
    DBOS.send("a", "last", "t")
    assert receiving.get_result() == ["to a", "to a", "last"]


async def test_answers_to_messages_are_awaited(dbos: type[DBOS]) -> None:
    messages = [SendMessage("nobody", 1)]
    [answer] = await DBOS.send_bulk_async(messages, atomic=False)
    assert isinstance(answer, DBOSNonExistentWorkflowError)


@pytest.mark.parametrize("atomic", [True, False])
def test_a_bulk_costs_two_statements_for_each_chunk(dbos: type[DBOS], atomic: bool) -> None:
    begin("a", 0).get_result()
    messages = [SendMessage("a", each) for each in range(1_200)]
    with Statements() as counted:
        DBOS.send_bulk(messages, atomic=atomic)  # type: ignore[call-overload]
    if engine().store.database.vendor == "postgresql":  # type: ignore[attr-defined]
        assert counted.count('INSERT INTO "dbos"."notifications"') == (2 if atomic else 3)
        destinations = [each for each in counted.texts if each.startswith("SELECT workflow_uuid F")]
        assert len(destinations) == (1 if atomic else 3)


def test_a_bulk_to_somebody_unknown_sends_nothing_at_all(dbos: type[DBOS]) -> None:
    receiving = begin("a", 1)
    with pytest.raises(DBOSNonExistentWorkflowError, match="nobody"):
        DBOS.send_bulk([SendMessage("a", "lost", "t"), SendMessage("nobody", "lost", "t")])
    with SetWorkflowID("s"):
        assert bulk_sends(["a", "nobody"]) == "nobody"
    assert isinstance(DBOS.list_workflow_steps("s")[0]["error"], DBOSNonExistentWorkflowError)
    DBOS.send("a", "first to arrive", "t")
    assert receiving.get_result() == ["first to arrive"]


def test_idempotency_keys_hold_within_a_bulk_and_across(dbos: type[DBOS]) -> None:
    receiving = begin("a", 2)
    with pytest.raises(DBOSException, match="duplicate idempotency keys"):
        DBOS.send_bulk([SendMessage("a", n, "t", "key") for n in range(2)])
    for _ in range(2):
        DBOS.send_bulk([SendMessage("a", "once", "t", "key")])
    next_millisecond()
    DBOS.send("a", "last", "t")
    assert receiving.get_result() == ["once", "last"]


def test_messages_reach_forks_of_forks_once_each(dbos: type[DBOS]) -> None:
    begin("a", 1)
    with SetWorkflowID("fork"):
        DBOS.fork_workflow("a", 1)
    with SetWorkflowID("fork of fork"):
        DBOS.fork_workflow("fork", 1)
    with SetWorkflowID("s"):
        bulk_to_forks("a")
    assert names("s") == ["DBOS.send"]
    for workflow_id in ("a", "fork", "fork of fork"):
        assert DBOS.get_result(workflow_id) == ["news"]


def test_a_key_is_one_per_recipient_among_forks(dbos: type[DBOS]) -> None:
    begin("a", 2)
    with SetWorkflowID("fork"):
        DBOS.fork_workflow("a", 1)
    for _ in range(2):
        DBOS.send("a", "once", "t", idempotency_key="key", send_to_forks=True)
    next_millisecond()
    DBOS.send("a", "last", "t", send_to_forks=True)
    assert DBOS.get_result("a") == DBOS.get_result("fork") == ["once", "last"]


async def test_coroutines_send_in_bulk_too(dbos: type[DBOS]) -> None:
    with SetWorkflowID("a"):
        handle = await DBOS.start_workflow_async(bulk_receives, 2)
    await DBOS.send_bulk_async([SendMessage("a", n, "t") for n in range(2)])
    assert await handle.get_result() == [0, 1]


def test_one_value_of_a_stream_is_one_step(dbos: type[DBOS]) -> None:
    with SetWorkflowID("w"):
        DBOS.start_workflow(bulk_streams, 3, True)
    assert DBOS.read_stream_offset("w", "out", 2, timeout_seconds=10) == 2
    with SetWorkflowID("r"):
        assert bulk_reads("w", 1) == 1
    assert names("r") == ["DBOS.readStreamOffset"]
    assert DBOS.fork_workflow("r", 2).get_result() == 1
    DBOS.send("w", "over", "end")


def test_a_value_that_will_never_come_is_a_timeout(dbos: type[DBOS]) -> None:
    for workflow_id, close in (("open", False), ("closed", True)):
        with SetWorkflowID(workflow_id):
            DBOS.start_workflow(bulk_streams, 1, close)
    with pytest.raises(DBOSStreamTimeoutError, match=r"within 0\.05 seconds"):
        DBOS.read_stream_offset("open", "out", 5, timeout_seconds=0.05)
    with pytest.raises(DBOSStreamTimeoutError, match="ended before offset 5"):
        DBOS.read_stream_offset("closed", "out", 5)
    DBOS.send_bulk([SendMessage(each, "over", "end") for each in ("open", "closed")])
    with pytest.raises(DBOSStreamTimeoutError, match="ended before offset 1"):
        DBOS.read_stream_offset("open", "out", 1)
    with pytest.raises(DBOSNonExistentWorkflowError):
        DBOS.read_stream_offset("nobody", "out", 0)


async def test_a_value_is_awaited_until_it_is_written(dbos: type[DBOS]) -> None:
    with SetWorkflowID("w"):
        handle = await DBOS.start_workflow_async(bulk_streams, 2, True)
    assert await DBOS.read_stream_offset_async("w", "out", 1) == 1
    await DBOS.send_async("w", "over", "end")
    await handle.get_result()


def test_values_written_between_two_reads_are_not_missed(
    dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch
) -> None:
    with SetWorkflowID("w"):
        DBOS.start_workflow(bulk_streams, 2, True)
    eventually(lambda: list(DBOS.read_stream("w", "out")) == [0, 1])
    store = engine().store
    answers: list[list[Any]] = [[]]
    read = store.stream
    monkeypatch.setattr(
        store, "stream", lambda *a, **kw: answers.pop() if answers else read(*a, **kw)
    )
    # While it runs: what has ended is read only after its end was seen.
    assert DBOS.read_stream_offset("w", "out", 1) == 1
    DBOS.send("w", "over", "end")


def test_ids_of_messages_sort_as_they_were_drawn() -> None:
    ids, drawn = MessageIds(), []

    def draw() -> None:
        for now in (5, 5, 4, 6):
            drawn.extend(ids.draw(now) for _ in range(3_000))

    draw()
    assert drawn == sorted(set(drawn))
    threads = [threading.Thread(target=draw) for _ in range(2)]
    for thread in threads:
        thread.start()
    eventually(lambda: not any(thread.is_alive() for thread in threads))
    assert len(set(drawn)) == len(drawn) == 36_000
