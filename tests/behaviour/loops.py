"""On which event loop coroutine workflows run, and which calls may block a running one."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any

from tests.behaviour.cases import DBOS, QUEUE, behaviour, launch, library, raised


def here() -> int:
    return id(asyncio.get_running_loop())


@DBOS.workflow()
async def loops_where() -> int:
    await asyncio.sleep(0)
    return here()


@DBOS.step()
async def loops_step() -> int:
    return here()


@DBOS.workflow()
async def loops_family() -> list[bool]:
    """Whether children, started or called, and steps run on the loop of their parent."""
    handle = await DBOS.start_workflow_async(loops_where)
    found = [await handle.get_result(), await loops_where(), await loops_step()]
    return [each == here() for each in found]


@DBOS.workflow()
async def loops_waits(event: asyncio.Event | None = None) -> str:
    await EVENTS["gate"].wait()
    return "went on"


@DBOS.workflow()
def loops_plain(value: int = 1) -> int:
    return value


@DBOS.workflow()
def loops_tick(at: datetime, context: Any) -> None: ...


EVENTS: dict[str, asyncio.Event] = {}


async def _queue() -> None:
    await DBOS.register_queue_async(QUEUE, polling_interval_sec=0.05)


@behaviour([True, True, True])
async def a_coroutine_workflow_runs_on_the_loop_of_its_caller() -> list[bool]:
    started = await (await DBOS.start_workflow_async(loops_where)).get_result()
    return [await loops_where() == here(), started == here(), all(await loops_family())]


@behaviour([False, False])
async def without_a_loop_at_launch_it_runs_on_a_loop_of_the_engine() -> list[bool]:
    await _queue()
    queued = await (await DBOS.enqueue_workflow_async(QUEUE, loops_where)).get_result()
    handle = DBOS.start_workflow(loops_where)
    return [queued == here(), await DBOS.get_result_async(handle.workflow_id) == here()]


@behaviour([True, True, True, True], launched=False)
async def launched_on_a_loop_it_runs_there(config: dict[str, Any]) -> list[bool]:
    launch(config)
    await _queue()
    queued = await (await DBOS.enqueue_workflow_async(QUEUE, loops_where)).get_result()
    handle = DBOS.start_workflow(loops_where)
    blocking = await DBOS.get_result_async(handle.workflow_id)
    threaded = await asyncio.to_thread(lambda: DBOS.start_workflow(loops_where).get_result())
    family = await (await DBOS.enqueue_workflow_async(QUEUE, loops_family)).get_result()
    await asyncio.to_thread(DBOS.destroy)
    return [queued == here(), blocking == here(), threaded == here(), all(family)]


@behaviour(["went on", "went on"], launched=False)
async def what_belongs_to_the_loop_is_shared_with_workflows(config: dict[str, Any]) -> list[str]:
    launch(config)
    await _queue()
    found = []
    for start in (
        lambda: DBOS.start_workflow_async(loops_waits),
        lambda: DBOS.enqueue_workflow_async(QUEUE, loops_waits),
    ):
        EVENTS["gate"] = asyncio.Event()
        handle = await start()
        await asyncio.sleep(0.2)
        EVENTS["gate"].set()
        found.append(await asyncio.wait_for(handle.get_result(), 20))
    await asyncio.to_thread(DBOS.destroy)
    return found


@behaviour(True, launched=False)
def once_the_loop_at_launch_is_closed_another_one_serves(config: dict[str, Any]) -> bool:
    async def launches() -> int:
        launch(config)
        return here()

    of_launch = asyncio.run(launches())
    found = DBOS.start_workflow(loops_where).get_result()
    DBOS.destroy()
    return bool(found != of_launch)


@behaviour([True, "MainThread"])
async def context_variables_are_those_of_the_caller() -> list[Any]:
    handle = await DBOS.start_workflow_async(loops_where)
    return [await handle.get_result() == here(), threading.current_thread().name]


@behaviour(["nothing"] * 12)
async def starts_schedules_and_versions_may_block_a_loop() -> list[str]:
    await _queue()
    queue = await DBOS.retrieve_queue_async(QUEUE)
    once = {"schedule_name": "loops", "workflow_fn": loops_tick, "schedule": "0 0 1 1 *"}
    now = datetime.now(UTC)
    return [
        raised(DBOS.start_workflow, loops_plain),
        raised(DBOS.enqueue_workflow, QUEUE, loops_plain),
        raised(queue.enqueue, loops_plain),
        raised(loops_plain),
        raised(lambda: DBOS.start_workflow(loops_plain).get_result()),
        raised(lambda: DBOS.create_schedule(**once)),
        raised(DBOS.list_schedules),
        raised(DBOS.pause_schedule, "loops"),
        raised(DBOS.backfill_schedule, "loops", now, now),
        raised(DBOS.trigger_schedule, "loops"),
        raised(DBOS.delete_schedule, "loops"),
        raised(DBOS.list_application_versions),
    ]


@behaviour(["RuntimeError"] * 10)
async def other_calls_of_a_coroutine_are_refused() -> list[str]:
    handle = await DBOS.start_workflow_async(loops_plain)
    me = handle.workflow_id
    return [
        raised(DBOS.retrieve_workflow, me),
        raised(DBOS.get_result, me),
        raised(DBOS.get_workflow_status, me),
        raised(DBOS.list_workflows),
        raised(DBOS.send, me, "message"),
        raised(DBOS.get_event, me, "key"),
        raised(DBOS.cancel_workflow, me),
        raised(DBOS.register_queue, QUEUE),
        raised(DBOS.run_step, None, lambda: 1),
        raised(lambda: [*DBOS.read_stream(me, "key")]),
    ]


@behaviour("sleep() was called while an event loop is running. Use await sleep_async(...) instead.")
async def the_refusal_names_the_call_to_await() -> str:
    try:
        DBOS.sleep(1)
    except RuntimeError as refusal:
        return str(refusal)
    return "nothing"


@behaviour(["nothing"] * 6, launched=False)
async def a_client_may_block_a_loop(config: dict[str, Any]) -> list[str]:
    launch(config)
    client = library.DBOSClient(system_database_url=config["system_database_url"])
    options = {"queue_name": QUEUE, "workflow_name": loops_plain.__qualname__}
    me = client.enqueue({**options, "workflow_id": "of a client"}, 1).workflow_id
    found = [
        raised(client.enqueue, options, 1),
        raised(client.list_workflows),
        raised(lambda: client.retrieve_workflow(me).get_status()),
        raised(client.send, me, "message"),
        raised(client.get_event, me, "key", 0),
        raised(client.register_queue, QUEUE),
    ]
    client.destroy()
    await asyncio.to_thread(DBOS.destroy)
    return found
