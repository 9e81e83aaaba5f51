"""Messages, events and streams: between workflows, and with the world."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from dboshub import DBOS, SetWorkflowID
from dboshub.workflows.engine.errors import (
    DBOSException,
    DBOSNonExistentWorkflowError,
    DBOSStreamTimeoutError,
)
from tests.support.eventually import eventually
from tests.support.statements import Statements


@DBOS.workflow()
def receiver(count: int, topic: str | None = None, timeout: float = 10) -> list[Any]:
    return [DBOS.recv(topic, timeout) for _ in range(count)]


@DBOS.workflow()
def sender(destination: str, messages: list[str]) -> None:
    for message in messages:
        DBOS.send(destination, message, "t")


@DBOS.workflow()
def publisher(values: list[Any]) -> str:
    for value in values:
        DBOS.set_event("progress", value)
    return DBOS.recv("finish", 10)


@DBOS.workflow()
def watcher(workflow_id: str) -> Any:
    return DBOS.get_event(workflow_id, "progress", 10)


@DBOS.step()
def write_twice() -> None:
    DBOS.write_stream("out", "from a step")
    DBOS.set_event("step", "done")


@DBOS.workflow()
def streamer(count: int, pause: float = 0) -> int:
    for number in range(count):
        DBOS.write_stream("out", number)
        DBOS.sleep(pause)
    write_twice()
    DBOS.close_stream("out")
    return count


@DBOS.workflow()
def reader(workflow_id: str) -> list[Any]:
    return [*DBOS.read_stream(workflow_id, "out")]


@DBOS.workflow()
def napper(seconds: float) -> str:
    DBOS.sleep(seconds)
    return "awake"


def step_names(workflow_id: str) -> list[str]:
    return [step["function_name"] for step in DBOS.list_workflow_steps(workflow_id)]


def test_messages_are_received_in_order_by_topic(dbos: type[DBOS]) -> None:
    with SetWorkflowID("r"):
        handle = DBOS.start_workflow(receiver, 2, "t")
    DBOS.send("r", "for nobody")
    DBOS.start_workflow(sender, "r", ["first", "second"]).get_result()
    assert handle.get_result() == ["first", "second"]
    assert step_names("r") == ["DBOS.recv", "DBOS.sleep"] * 2


def test_a_message_that_does_not_come_is_none(dbos: type[DBOS]) -> None:
    with SetWorkflowID("r"):
        assert receiver(1, None, 0.05) == [None]
    assert DBOS.list_workflow_steps("r")[0]["output"] is None


def test_an_idempotency_key_delivers_once(dbos: type[DBOS]) -> None:
    with SetWorkflowID("r"):
        handle = DBOS.start_workflow(receiver, 2, None, 0.3)
    for _ in range(2):
        DBOS.send("r", "once", idempotency_key="k")
    assert handle.get_result() == ["once", None]


def test_a_message_to_nobody_is_an_error_and_recorded(dbos: type[DBOS]) -> None:
    with pytest.raises(DBOSNonExistentWorkflowError):
        DBOS.send("nobody", "hello")
    with SetWorkflowID("s"), pytest.raises(DBOSNonExistentWorkflowError):
        sender("nobody", ["hello"])
    assert isinstance(DBOS.list_workflow_steps("s")[0]["error"], DBOSNonExistentWorkflowError)


def test_an_event_is_seen_by_who_waits_and_by_who_comes_later(dbos: type[DBOS]) -> None:
    with SetWorkflowID("w"):
        watching = DBOS.start_workflow(watcher, "p")
    with SetWorkflowID("p"):
        publishing = DBOS.start_workflow(publisher, [{"percent": 50}])
    assert watching.get_result() == {"percent": 50}
    assert DBOS.get_event("p", "progress", 1) == {"percent": 50}
    assert DBOS.get_all_events("p") == {"progress": {"percent": 50}}
    assert DBOS.get_event("p", "nothing", 0.05) is None
    assert step_names("w") == ["DBOS.getEvent", "DBOS.sleep"]
    DBOS.send("p", "done", "finish")
    assert publishing.get_result() == "done"


def test_the_latest_value_of_an_event_wins(dbos: type[DBOS]) -> None:
    with SetWorkflowID("p"):
        handle = DBOS.start_workflow(publisher, [1, 2, 3])
    DBOS.send("p", "done", "finish")
    handle.get_result()
    assert DBOS.get_event("p", "progress", 0) == 3


def test_a_stream_is_read_while_it_is_written_and_ends_when_closed(dbos: type[DBOS]) -> None:
    handle = DBOS.start_workflow(streamer, 3, 0.02)
    values = [*DBOS.read_stream(handle.get_workflow_id(), "out")]
    assert values == [0, 1, 2, "from a step"]
    assert [*DBOS.read_stream(handle.get_workflow_id(), "out", offset=2)] == [2, "from a step"]
    assert handle.get_result() == 3


def test_a_stream_ends_with_its_workflow(dbos: type[DBOS]) -> None:
    with SetWorkflowID("r"):
        receiver(1, None, 0.01)
    assert [*DBOS.read_stream("r", "out")] == []


def test_a_workflow_that_reads_a_stream_records_each_value(dbos: type[DBOS]) -> None:
    with SetWorkflowID("s"):
        streamer(2)
    with SetWorkflowID("r"):
        assert reader("s") == [0, 1, "from a step"]
    assert step_names("r") == ["DBOS.readStream"] * 4
    assert DBOS.fork_workflow("r", start_step=3).get_result() == [0, 1, "from a step"]


def test_a_stream_of_nobody_is_an_error_and_a_slow_one_times_out(dbos: type[DBOS]) -> None:
    with pytest.raises(DBOSNonExistentWorkflowError):
        next(DBOS.read_stream("nobody", "out"))
    with SetWorkflowID("r"):
        DBOS.start_workflow(receiver, 1, None, 5)
    with pytest.raises(DBOSStreamTimeoutError, match=r"0\.05 seconds"):
        next(DBOS.read_stream("r", "out", timeout_seconds=0.05))
    DBOS.send("r", "end")


async def test_everything_works_for_coroutines(dbos: type[DBOS]) -> None:
    @DBOS.workflow()
    async def talker() -> Any:
        await DBOS.set_event_async("progress", "listening")
        message = await DBOS.recv_async("t", 10)
        await DBOS.write_stream_async("out", message)
        await DBOS.close_stream_async("out")
        return message

    handle = await DBOS.start_workflow_async(talker)
    talking = handle.get_workflow_id()
    assert await DBOS.get_event_async(talking, "progress", 5) == "listening"
    await DBOS.send_async(talking, "hello", "t")
    assert [value async for value in DBOS.read_stream_async(talking, "out")] == ["hello"]
    assert await handle.get_result() == "hello"


async def test_a_blocking_call_on_a_loop_names_its_twin(dbos: type[DBOS]) -> None:
    with pytest.raises(RuntimeError, match="Use await send_async"):
        DBOS.send("w", "m")


def test_what_needs_a_workflow_says_so(dbos: type[DBOS]) -> None:
    for call in (lambda: DBOS.recv(), lambda: DBOS.sleep(1), lambda: DBOS.set_event("k", 1)):
        with pytest.raises(DBOSException, match="within a workflow"):
            call()


def test_sleep_takes_its_time_and_costs_one_step(dbos: type[DBOS]) -> None:
    began = time.monotonic()
    with SetWorkflowID("n"):
        assert napper(0.2) == "awake"
    assert time.monotonic() - began >= 0.2
    assert step_names("n") == ["DBOS.sleep"]
    with SetWorkflowID("no"):
        napper(0)
    assert step_names("no") == []


def test_a_hundred_waiting_workflows_ask_the_database_together(dbos: type[DBOS]) -> None:
    handles = [DBOS.start_workflow(receiver, 1, "t", 30) for _ in range(100)]
    for handle in handles:
        eventually(lambda handle=handle: "DBOS.sleep" in step_names(handle.get_workflow_id()))
    asked = Statements()
    with asked:
        # Two polls and more: that something is not done can only be seen over a time.
        time.sleep(2.2)
    # A poll serves all of them; SQLite also looks when somebody commits, as a heartbeat does.
    assert asked.count("notifications") < 10
    for handle in handles:
        DBOS.send(handle.get_workflow_id(), "end", "t")
    assert [handle.get_result() for handle in handles] == [["end"]] * 100


def test_waiting_coroutines_need_no_threads(dbos: type[DBOS]) -> None:
    @DBOS.workflow()
    async def waits() -> Any:
        return await DBOS.recv_async("t", 30)

    def all_wait(handles: list[Any]) -> bool:
        return all("DBOS.sleep" in step_names(each.get_workflow_id()) for each in handles)

    async def run_all() -> list[Any]:
        handles = await asyncio.gather(*[DBOS.start_workflow_async(waits) for _ in range(300)])
        await asyncio.to_thread(eventually, lambda: all_wait(handles[-5:]))
        assert threading.active_count() <= before + 8
        await asyncio.gather(
            *[DBOS.send_async(each.get_workflow_id(), "end", "t") for each in handles]
        )
        return await asyncio.gather(*[each.get_result() for each in handles])

    before = threading.active_count()
    assert asyncio.run(run_all()) == ["end"] * 300
