"""Coroutine workflows on the application's event loop, and what happens when that loop ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from dboshub import DBOS, SetWorkflowID
from dboshub.workflows.engine import current_engine
from tests.support.eventually import eventually

GATES: dict[str, asyncio.Event] = {}
STARTED: list[int] = []


@DBOS.workflow()
async def loop_waits() -> str:
    await GATES["gate"].wait()
    return "went on"


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def result_of(workflow_id: str) -> object:
    """The result, if it comes sooner than by a reconciliation, which runs every 30 s."""

    def succeeded() -> bool:
        return DBOS.list_workflows(workflow_ids=[workflow_id])[0].status == "SUCCESS"

    eventually(succeeded)
    return DBOS.retrieve_workflow(workflow_id).get_result()


async def wait_the_first_time() -> int:
    STARTED.append(1)
    if len(STARTED) == 1:
        await asyncio.Event().wait()
    return len(STARTED)


@DBOS.workflow()
async def loop_waits_once() -> int:
    return await wait_the_first_time()


@DBOS.step()
async def loop_waits_in_a_step() -> int:
    return await wait_the_first_time()


@DBOS.workflow()
def loop_of_waiting_step() -> int:
    found: int = DBOS.run_step(None, loop_waits_in_a_step)
    return found


@DBOS.workflow()
async def loop_raises_cancellation() -> None:
    raise asyncio.CancelledError


@DBOS.workflow()
async def loop_sleeps() -> str:
    await DBOS.sleep_async(60)
    return "slept"


@DBOS.step()
async def loop_of_step() -> int:
    return id(asyncio.get_running_loop())


@DBOS.workflow()
def loop_of_blocking_workflow() -> int:
    found: int = DBOS.run_step(None, loop_of_step)
    return found


def test_a_workflow_whose_loop_was_closed_runs_again_on_another(dbos: type[DBOS]) -> None:
    loop = asyncio.new_event_loop()
    STARTED.clear()
    handle = loop.run_until_complete(DBOS.start_workflow_async(loop_waits_once))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert result_of(handle.workflow_id) == 2


@DBOS.workflow()
async def loop_parent_waits_once() -> int:
    return await loop_waits_once()


@pytest.mark.parametrize("workflow", [loop_waits_once, loop_parent_waits_once])
def test_a_workflow_whose_loop_ends_runs_again_at_once(
    dbos: type[DBOS], workflow: Callable[[], Any]
) -> None:
    """`asyncio.run` cancels it, as does a task group that fails; nothing waits for a recovery."""

    async def main() -> str:
        started = STARTED.copy()
        handle = await DBOS.start_workflow_async(workflow)
        await until(lambda: started != STARTED)
        return handle.workflow_id

    STARTED.clear()
    workflow_id = asyncio.run(main())
    assert result_of(workflow_id) == 2
    assert DBOS.list_workflows(workflow_ids=[workflow_id])[0].recovery_attempts == 2


def test_a_direct_call_whose_task_is_cancelled_runs_again_at_once(dbos: type[DBOS]) -> None:
    async def main() -> None:
        with SetWorkflowID("called"):
            task = asyncio.create_task(loop_waits_once())
        await until(lambda: bool(STARTED))
        task.cancel()

    STARTED.clear()
    asyncio.run(main())
    assert result_of("called") == 2


def test_a_workflow_that_raises_the_cancellation_itself_is_not_repeated_at_once(
    dbos: type[DBOS],
) -> None:
    """It would raise it again: without a pause its attempts would be used up in a moment."""
    executions = current_engine.engine().executions

    async def main() -> str:
        handle = await DBOS.start_workflow_async(loop_raises_cancellation)
        await until(lambda: executions.find(handle.workflow_id) is None)
        return handle.workflow_id

    workflow_id = asyncio.run(main())
    current_engine.engine().queries.submit(lambda: None)
    assert DBOS.list_workflows(workflow_ids=[workflow_id])[0].status == "PENDING"


@pytest.mark.parametrize("ends", ["cancels its tasks", "is closed"])
def test_a_step_whose_loop_ends_is_no_error_of_a_blocking_workflow(
    launch: Callable[..., None], ends: str
) -> None:
    """The loop on which DBOS was launched may end; the engine's own one runs the step again."""
    loop = asyncio.new_event_loop()

    async def main() -> str:
        launch()
        handle = await DBOS.start_workflow_async(loop_of_waiting_step)
        await until(lambda: bool(STARTED))
        return handle.workflow_id

    STARTED.clear()
    workflow_id = loop.run_until_complete(main())
    if ends == "cancels its tasks":
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.close()
    assert result_of(workflow_id) == 2


def test_waiting_on_the_loop_that_runs_the_workflow_is_refused(dbos: type[DBOS]) -> None:
    async def main() -> None:
        GATES["gate"] = asyncio.Event()
        handle = await DBOS.start_workflow_async(loop_waits)
        blocking = await asyncio.to_thread(DBOS.retrieve_workflow, handle.workflow_id)
        with pytest.raises(RuntimeError, match="get_result_async"):
            blocking.get_result()
        GATES["gate"].set()
        assert await handle.get_result() == "went on"

    asyncio.run(main())


def test_a_step_of_a_blocking_workflow_runs_on_the_application_loop(
    launch: Callable[..., None],
) -> None:
    async def main() -> bool:
        launch()
        handle = await DBOS.start_workflow_async(loop_of_blocking_workflow)
        return bool(await handle.get_result() == id(asyncio.get_running_loop()))

    assert asyncio.run(main())


def test_destroying_on_the_application_loop_waits_for_none_of_its_workflows(
    launch: Callable[..., None],
) -> None:
    """They cannot go on while the loop is blocked; they are handed back."""

    async def main() -> tuple[str, float]:
        launch()
        handle = await DBOS.start_workflow_async(loop_sleeps)
        began = time.monotonic()
        DBOS.destroy(grace_period_sec=60)
        return handle.workflow_id, time.monotonic() - began

    workflow_id, seconds = asyncio.run(main())
    assert seconds < 30
    launch()
    eventually(lambda: current_engine.engine().executions.find(workflow_id))
