"""Which step numbers refused calls and calls beside others take; a part of the story."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from tests.interop.story import (
    DBOS,
    double,
    double_async,
    gated,
    library,
    swallowed,
    tick,
    triple,
    triple_async,
)

AT = datetime(2025, 1, 1)
QUEUED = {"queue_name": "unserved", "workflow_name": "triple"}


def undecorated() -> None: ...


def refused_options() -> list[dict[str, Any]]:
    return [
        {"queue_name": "unserved"},
        {**QUEUED, "priority": -1},
        {**QUEUED, "workflow_id": " "},
        {**QUEUED, "workflow_id_reuse_policy": "bogus"},
    ]


@DBOS.workflow()
def every_refused_call() -> str:
    """A step follows each call that is refused, so that its number tells what that took."""
    calls: list[Callable[[], Any]] = [
        lambda: DBOS.start_workflow(undecorated),
        lambda: DBOS.enqueue_workflow("unserved", undecorated),
        *(lambda o=o: DBOS.enqueue_workflow_with_options(o, 1) for o in refused_options()),
        lambda: DBOS.apply_schedules([]),
        lambda: DBOS.backfill_schedule("nothing", AT, AT),
        lambda: DBOS.trigger_schedule("nothing"),
        lambda: DBOS.create_schedule(schedule_name="bad", workflow_fn=tick, schedule="bad"),
        lambda: DBOS.run_step({"timeout_seconds": 1}, lambda: 1),
        lambda: DBOS.fork_workflow("nobody", 1),
        lambda: DBOS.fork_workflow("nobody", 1, timeout_seconds=0),
        lambda: DBOS.send("nobody", 1, shard_key="key"),
        lambda: DBOS.rewind_workflow("nobody"),
        lambda: DBOS.resume_workflow("nobody"),
        lambda: DBOS.retrieve_workflow("nobody"),
        lambda: DBOS.read_stream_offset(f"{DBOS.workflow_id}-1", "stream", 5),
        lambda: DBOS.set_workflow_delay("nobody", delay_seconds=-1),
        lambda: DBOS.update_workflow_attributes("nobody", None, merge=True),
    ]
    triple(1)
    for call in calls:
        with swallowed():
            call()
        double(1)
    return "done"


@DBOS.workflow()
async def every_refused_async_call() -> str:
    """The awaited twins take other numbers where they start, enqueue or fork."""
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: DBOS.start_workflow_async(undecorated),
        lambda: DBOS.enqueue_workflow_async("unserved", undecorated),
        *(lambda o=o: DBOS.enqueue_workflow_with_options_async(o, 1) for o in refused_options()),
        lambda: DBOS.apply_schedules_async([]),
        lambda: DBOS.create_schedule_async(schedule_name="bad", workflow_fn=tick, schedule="bad"),
        lambda: DBOS.fork_workflow_async("nobody", 1),
        lambda: DBOS.fork_workflow_async("nobody", 1, timeout_seconds=0),
        lambda: DBOS.retrieve_workflow_async("nobody"),
    ]
    for call in calls:
        with swallowed():
            await call()
        await double_async(1)
    return "done"


@DBOS.workflow()
async def every_call_beside_a_step() -> str:
    """Some calls take their number after a step that begins at the same time."""
    me = DBOS.workflow_id
    with library.SetWorkflowID(f"{me}-chosen"):
        handle = await DBOS.start_workflow_async(triple_async, 1)
    await handle.get_result()
    known = await DBOS.retrieve_workflow_async(f"{me}-chosen", False)
    calls: list[Callable[[], Awaitable[Any]]] = [
        handle.get_result,
        known.get_result,
        known.get_status,
        lambda: DBOS.get_result_async(f"{me}-chosen"),
        lambda: DBOS.fork_workflow_async(f"{me}-chosen", 1, queue_name="unserved"),
        lambda: DBOS.get_schedule_async("nothing"),
        lambda: DBOS.list_schedules_async(),
        lambda: DBOS.delete_schedule_async("nothing"),
        lambda: DBOS.retrieve_workflow_async(f"{me}-chosen"),
        lambda: DBOS.wait_first_async([known]),
    ]
    for call in calls:
        await asyncio.gather(call(), double_async(1))
    waiting = DBOS.asyncio_wait([asyncio.create_task(asyncio.sleep(0))])
    await double_async(2)
    await waiting
    return "done"


@DBOS.workflow()
async def napping(number: int) -> int:
    await DBOS.sleep_async(0.05 * number)
    return number


@DBOS.workflow()
async def results_in_any_order() -> list[Any]:
    """Children that end in another order than they are awaited in, beside steps."""
    handles = [await DBOS.start_workflow_async(napping, each) for each in (4, 3, 2, 1)]
    results = (handle.get_result() for handle in handles)
    told = await asyncio.gather(
        double_async(5), next(results), double_async(6), *results, double_async(7)
    )
    gate = await asyncio.to_thread(DBOS.run_step, {"name": "gate"}, gated.__wrapped__, "gate")
    return [*told, gate, await double_async(8), triple.__name__]
