"""Waiting for the first, steps under reserved ids, steps that end when their workflow does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dboshub import DBOS, SetWorkflowID, StepReservation
from dboshub.workflows.engine.errors import DBOSAwaitedWorkflowCancelledError, DBOSException
from tests.support.eventually import eventually
from tests.workflows.engine.calls import Calls

calls = Calls()
gates: dict[str, asyncio.Event] = {}


@DBOS.workflow()
def choose_waits(topic: str) -> Any:
    return DBOS.recv(topic, 30)


@DBOS.workflow()
def choose_fails() -> None:
    raise ValueError("first to fail")


@DBOS.workflow()
def choose_first(ids: list[str]) -> str:
    handles = [DBOS.retrieve_workflow(each, existing_workflow=False) for each in ids]
    return DBOS.wait_first(handles).workflow_id


@DBOS.step()
async def choose_number(number: int) -> int:
    calls.note("number", number)
    if number == 0:
        await gates["the last one"].wait()
    return number


@DBOS.workflow()
async def choose_tasks(return_when: str) -> tuple[list[int], list[int]]:
    gate = gates["the last one"] = asyncio.Event()
    if return_when != "FIRST_COMPLETED":
        gate.set()
    tasks = [asyncio.ensure_future(choose_number(number)) for number in range(3)]
    done, pending = await DBOS.asyncio_wait(tasks, return_when=return_when)
    gate.set()
    split = (
        sorted(number for number, task in enumerate(tasks) if task in done),
        sorted(number for number, task in enumerate(tasks) if task in pending),
    )
    await asyncio.gather(*tasks)
    return split


@DBOS.workflow()
async def choose_timeout() -> int:
    tasks = [asyncio.ensure_future(DBOS.recv_async("never", 30))]
    done, pending = await DBOS.asyncio_wait(tasks, timeout=0.01)
    for task in pending:
        task.cancel()
    return len(done)


@DBOS.workflow()
async def choose_reserved() -> list[str]:
    first, second = DBOS.reserve_step(), DBOS.reserve_step()
    later = await second.run_async({"name": "later"}, asyncio.sleep, 0, "later")
    sooner = await first.run_async(None, str.upper, "sooner")
    with pytest.raises(DBOSException, match=r"can only be run once: step \d+ has already run"):
        await first.run_async(None, str.upper, "again")
    return [sooner, later, await DBOS.run_step_async({"name": "last"}, str.lower, "LAST")]


@DBOS.workflow()
def choose_reserved_sync() -> list[Any]:
    reserved: StepReservation = DBOS.reserve_step()
    DBOS.run_step({"name": "in between"}, list)
    with pytest.raises(DBOSException, match="must be called from a workflow"):
        DBOS.run_step({"name": "inside"}, DBOS.reserve_step)
    return [reserved.step_id, reserved.run({"name": "reserved"}, lambda: DBOS.step_id)]


@DBOS.step(preemptible=True)
async def choose_endless() -> None:
    calls.note("began")
    try:
        await asyncio.sleep(60)
    finally:
        calls.note("ended")


@DBOS.workflow()
async def choose_preempted() -> None:
    await choose_endless()


@DBOS.step(preemptible=True)
async def choose_quick(value: int) -> int:
    if value < 0:
        raise ValueError(value)
    return value


@DBOS.workflow()
async def choose_finishes(value: int) -> int:
    return await choose_quick(value)


async def choose_never_again(error: BaseException) -> bool:
    await asyncio.sleep(0)
    return not isinstance(error, KeyError)


@DBOS.step(retries_allowed=True, interval_seconds=0.001, should_retry=choose_never_again)
async def choose_picky() -> None:
    calls.note("picky")
    raise ConnectionError if calls.count("picky") == 1 else KeyError("final")


@DBOS.step(retries_allowed=True, interval_seconds=0.001, should_retry=choose_never_again)
def choose_picky_sync() -> None:
    calls.note("picky")
    raise ConnectionError if calls.count("picky") == 1 else KeyError("final")


@DBOS.workflow()
async def choose_retries() -> None:
    await choose_picky()


@DBOS.workflow()
def choose_retries_sync() -> None:
    choose_picky_sync()


def names(workflow_id: str) -> list[str]:
    return [step["function_name"] for step in DBOS.list_workflow_steps(workflow_id)]


def begin(*ids: str) -> list[Any]:
    handles = []
    for workflow_id in ids:
        with SetWorkflowID(workflow_id):
            handles.append(DBOS.start_workflow(choose_waits, "go"))
    return handles


def test_the_first_to_end_is_the_one_returned_however_it_ends(dbos: type[DBOS]) -> None:
    slow, quick = begin("slow", "quick")
    DBOS.send("quick", 1, "go")
    assert DBOS.wait_first([slow, quick]) is quick
    DBOS.cancel_workflow("slow")
    assert DBOS.wait_first([slow]) is slow
    failing = DBOS.start_workflow(choose_fails)
    assert DBOS.wait_first([failing]) is failing


def test_a_workflow_keeps_to_the_first_it_saw(dbos: type[DBOS]) -> None:
    begin("a", "b")
    with SetWorkflowID("w"):
        waiting = DBOS.start_workflow(choose_first, ["a", "b"])
    DBOS.send("b", 1, "go")
    assert waiting.get_result() == "b"
    assert names("w") == ["DBOS.waitFirst"]
    DBOS.send("a", 1, "go")
    DBOS.get_result("a")
    assert DBOS.fork_workflow("w", 2).get_result() == "b"
    assert DBOS.fork_workflow("w", 1).get_result() == "a"


def test_no_handles_and_twice_the_same_are_refused(dbos: type[DBOS]) -> None:
    [handle] = begin("a")
    for handles in ([], [handle, handle]):
        with pytest.raises(ValueError, match="handles must not"):
            DBOS.wait_first(handles)
    DBOS.cancel_workflow("a")


async def test_coroutines_wait_for_the_first_too(dbos: type[DBOS]) -> None:
    with SetWorkflowID("a"):
        handle = await DBOS.start_workflow_async(choose_waits, "go")
    await DBOS.send_async("a", 1, "go")
    assert await DBOS.wait_first_async([handle]) is handle


async def test_a_replay_divides_tasks_as_the_first_run_did(dbos: type[DBOS]) -> None:
    with SetWorkflowID("w"):
        assert await choose_tasks("FIRST_EXCEPTION") == ([0, 1, 2], [])
    with SetWorkflowID("first"):
        done, pending = await choose_tasks("FIRST_COMPLETED")
    assert 0 in pending
    steps = await DBOS.list_workflow_steps_async("first")
    # Coroutines begin when they are waited for, and draw their ids after the wait itself.
    assert (steps[0]["function_name"], steps[0]["output"]) == ("DBOS.asyncio_wait", done)
    calls.clear()
    fork = await DBOS.fork_workflow_async("first", 100)
    assert await fork.get_result() == (done, pending)
    assert calls.noted == []


async def test_waiting_for_tasks_can_time_out_and_works_outside(dbos: type[DBOS]) -> None:
    assert await choose_timeout() == 0
    done, pending = await DBOS.asyncio_wait([asyncio.sleep(0, "x")])
    assert ([task.result() for task in done], pending) == (["x"], set())


async def test_reserved_ids_keep_program_order(dbos: type[DBOS]) -> None:
    with SetWorkflowID("w"):
        assert await choose_reserved() == ["SOONER", "later", "last"]
    steps = await DBOS.list_workflow_steps_async("w")
    assert [step["function_name"] for step in steps] == ["str.upper", "later", "last"]


def test_a_reserved_step_runs_in_threads_too(dbos: type[DBOS]) -> None:
    with SetWorkflowID("w"):
        assert choose_reserved_sync() == [1, 1]
    assert names("w") == ["reserved", "in between", "inside"]
    with pytest.raises(DBOSException, match="must be called from a workflow"):
        DBOS.reserve_step()


def test_a_preemptible_step_ends_with_its_workflow_and_records_nothing(dbos: type[DBOS]) -> None:
    calls.clear()
    with SetWorkflowID("w"):
        handle = DBOS.start_workflow(choose_preempted)
    eventually(lambda: calls.count("began"))
    DBOS.cancel_workflow("w")
    with pytest.raises(DBOSAwaitedWorkflowCancelledError):
        handle.get_result()
    eventually(lambda: calls.count("ended"))
    assert names("w") == []
    DBOS.resume_workflow("w")
    eventually(lambda: calls.count("began") == 2)
    DBOS.cancel_workflow("w")
    eventually(lambda: calls.count("ended") == 2)


async def test_a_preemptible_step_that_is_not_preempted_is_as_any(dbos: type[DBOS]) -> None:
    assert await choose_finishes(1) == 1
    with pytest.raises(ValueError, match="-1"):
        await choose_finishes(-1)


def test_a_thread_cannot_be_preempted() -> None:
    with pytest.raises(DBOSException, match="only supported for async steps"):
        DBOS.step(preemptible=True)(len)
    with pytest.raises(DBOSException, match="only supported for async steps"):
        DBOS.step(timeout_seconds=1)(len)


async def test_should_retry_can_be_awaited(dbos: type[DBOS]) -> None:
    calls.clear()
    with pytest.raises(KeyError):
        await choose_retries()
    assert calls.count("picky") == 2


def test_should_retry_of_a_plain_step_can_be_a_coroutine_function(dbos: type[DBOS]) -> None:
    calls.clear()
    with pytest.raises(KeyError):
        choose_retries_sync()
    assert calls.count("picky") == 2


def test_a_thread_can_run_a_coroutine_function_as_a_step(dbos: type[DBOS]) -> None:
    @DBOS.workflow()
    def awaits() -> Any:
        return DBOS.run_step({"name": "awaited"}, asyncio.sleep, 0, DBOS.workflow_id)

    with SetWorkflowID("w"):
        assert awaits() == "w"
    assert DBOS.run_step(None, asyncio.sleep, 0, "outside") == "outside"
