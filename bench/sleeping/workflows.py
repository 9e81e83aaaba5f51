"""What sleeps in the benchmark of sleepers: a step, a long sleep, and the step that is late."""

from __future__ import annotations

from dboshub import DBOS, Queue

queue = Queue("naps")


@DBOS.step()
def woken() -> str:
    return "awake"


@DBOS.step()
async def async_woken() -> str:
    return "awake"


@DBOS.workflow()
def nap(seconds: float) -> str:
    DBOS.sleep(seconds)
    return woken()


@DBOS.workflow()
async def async_nap(seconds: float) -> str:
    await DBOS.sleep_async(seconds)
    return await async_woken()
