"""The result that a coroutine awaits of a handle takes its number when it is there."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dboshub import DBOS, SetWorkflowID
from dboshub.workflows.engine.programs import Call, Program
from dboshub.workflows.engine.runtime import late_ids
from dboshub.workflows.engine.runtime.execution import Execution
from tests.support.eventually import eventually
from tests.workflows.engine.calls import Calls

CHILDREN = ("run-1", "run-2", "run-3")
STEP, RESULT = "late_results_step", "DBOS.getResult"
calls = Calls()


@pytest.fixture(autouse=True)
def cleared() -> None:
    calls.clear()


@DBOS.step()
async def late_results_step(number: int) -> int:
    calls.note(STEP, number)
    return number


@DBOS.workflow()
async def late_results_child() -> Any:
    return await DBOS.recv_async("what to return")


@DBOS.workflow()
async def late_results_beside_steps() -> list[Any]:
    handles = [await DBOS.start_workflow_async(late_results_child) for _ in CHILDREN]
    first, *others = [handle.get_result() for handle in handles]
    told = await asyncio.gather(
        late_results_step(1), first, late_results_step(2), *others, handles[0].get_result()
    )
    return [*told, await late_results_step(3)]


@DBOS.workflow()
async def late_results_then_steps() -> list[Any]:
    """A branch goes on with steps, another with what it awaited."""
    handle = await DBOS.start_workflow_async(late_results_child)

    async def awaited() -> list[Any]:
        return [await handle.get_result(), await late_results_step(10)]

    async def steps() -> list[Any]:
        told = [await late_results_step(each) for each in range(4)]
        return [*told, await DBOS.recv_async("go on")]

    return await asyncio.gather(awaited(), steps())


@DBOS.workflow()
async def late_results_changes() -> Any:
    """Draws fewer numbers the second time."""
    handle = await DBOS.start_workflow_async(late_results_child)
    if not calls.count("changed"):
        await asyncio.gather(late_results_step(1), late_results_step(2), late_results_step(3))
    return await handle.get_result()


def numbers(workflow_id: str) -> list[tuple[int, str, str | None]]:
    return [
        (each["function_id"], each["function_name"], each["child_workflow_id"])
        for each in DBOS.list_workflow_steps(workflow_id)
        if each["function_name"] in (STEP, RESULT)
    ]


def end_child(child: str, value: Any) -> None:
    """Let a child end, and its parent record that."""
    eventually(lambda: DBOS.get_workflow_status(child) is not None)
    DBOS.send(child, value, "what to return")
    eventually(lambda: child in {found for *_, found in numbers("run")})


def test_results_come_in_any_order_and_replay_as_their_own(dbos: type[DBOS]) -> None:
    with SetWorkflowID("run"):
        handle = DBOS.start_workflow(late_results_beside_steps)
    for value, child in reversed([*enumerate(CHILDREN)]):
        end_child(child, value)
    told = [1, 0, 2, 1, 2, 0, 3]
    assert handle.get_result() == told
    recorded = numbers("run")
    assert recorded[:4] == [
        (4, STEP, None),
        (5, STEP, None),
        (6, RESULT, "run-3"),
        (7, RESULT, "run-2"),
    ]
    assert recorded[4:] == [(8, RESULT, "run-1"), (9, RESULT, "run-1"), (10, STEP, None)]
    calls.clear()
    for start_step in (11, 8, 7, 6):
        forked = DBOS.fork_workflow("run", start_step)
        assert forked.get_result() == told
    # Every fork but the first one repeats the last step, and no other.
    assert calls.noted == [(STEP, 3)] * 3


def test_a_result_is_returned_as_late_as_it_came(dbos: type[DBOS]) -> None:
    with SetWorkflowID("run"):
        handle = DBOS.start_workflow(late_results_then_steps)
    eventually(lambda: calls.count(STEP) == 4)
    end_child("run-1", "late")
    eventually(lambda: calls.count(STEP) == 5)
    DBOS.send("run", "went on", "go on")
    told = [["late", 10], [0, 1, 2, 3, "went on"]]
    assert handle.get_result() == told
    calls.clear()
    assert DBOS.fork_workflow("run", 20).get_result() == told
    assert not calls.noted


def test_a_result_that_was_not_recorded_comes_after_the_recorded_steps(dbos: type[DBOS]) -> None:
    with SetWorkflowID("run"):
        handle = DBOS.start_workflow(late_results_then_steps)
    eventually(lambda: calls.count(STEP) == 4)
    end_child("run-1", "late")
    DBOS.send("run", "went on", "go on")
    handle.get_result()
    calls.clear()
    result = next(number for number, name, _ in numbers("run") if name == RESULT)
    forked = DBOS.fork_workflow("run", result)
    eventually(lambda: calls.count(STEP) == 1)
    DBOS.send(forked.workflow_id, "went on", "go on")
    assert forked.get_result() == [["late", 10], [0, 1, 2, 3, "went on"]]
    assert calls.noted == [(STEP, 10)]


def test_code_that_draws_fewer_numbers_is_not_waited_for_for_ever(
    dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch
) -> None:
    with SetWorkflowID("run"):
        handle = DBOS.start_workflow(late_results_changes)
    end_child("run-1", "told")
    assert handle.get_result() == "told"
    calls.note("changed")
    monkeypatch.setattr(late_ids, "ORDER_WAIT_S", 0.05)
    assert DBOS.fork_workflow("run", 20).get_result() == "told"


async def test_what_draws_its_number_later_is_recorded_later(
    dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between would leave a number that a replay gives to another call."""
    held, release, recorded = asyncio.Event(), asyncio.Event(), list[str]()
    commit = Execution._commit

    def slow_for_results(self: Execution, write: Any) -> Program[Any]:
        name = getattr(write, "name", "")
        if name == RESULT:
            held.set()
            (yield Call(release.wait, (), {})).unwrap()
        answer = yield from commit(self, write)
        if name in (RESULT, STEP):
            recorded.append(name)
        return answer

    monkeypatch.setattr(Execution, "_commit", slow_for_results)

    @DBOS.workflow()
    async def late_results_in_order() -> list[Any]:
        handle = await DBOS.start_workflow_async(late_results_child)
        await DBOS.send_async(handle.workflow_id, "told", "what to return")

        async def step_after_the_draw() -> int:
            await held.wait()
            return await late_results_step(1)

        return await asyncio.gather(handle.get_result(), step_after_the_draw())

    running = await DBOS.start_workflow_async(late_results_in_order)
    await held.wait()
    for _ in range(200):
        await asyncio.sleep(0)
    assert calls.count(STEP) == 1
    assert recorded == []
    release.set()
    assert await running.get_result() == ["told", 1]
    assert recorded == [RESULT, STEP]
