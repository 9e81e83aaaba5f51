"""Coroutine workflows on the application's event loop, and what happens when that loop ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from dboshub import DBOS
from dboshub.workflows.engine import current_engine
from tests.support.eventually import eventually

GATES: dict[str, asyncio.Event] = {}


@DBOS.workflow()
async def loop_waits() -> str:
    await GATES["gate"].wait()
    return "went on"


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


def test_a_workflow_whose_loop_was_closed_is_forgotten_and_can_run_again(dbos: type[DBOS]) -> None:
    loop = asyncio.new_event_loop()
    GATES["gate"] = asyncio.Event()
    handle = loop.run_until_complete(DBOS.start_workflow_async(loop_waits))
    loop.run_until_complete(asyncio.sleep(0))
    executions = current_engine.engine().executions
    assert executions.find(handle.workflow_id) is not None
    loop.close()
    eventually(lambda: executions.find(handle.workflow_id) is None)
    assert DBOS.list_workflows(workflow_ids=[handle.workflow_id])[0].status == "PENDING"


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
