"""Workflows whose code changes while their runs are recorded."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dboshub import DBOS, Queue, SetWorkflowID
from tests.workflows.engine.calls import Calls

calls = Calls()
queue = Queue("rp_queue")
never = threading.Event()


class Deployed:
    """Which change of the code below is deployed."""

    change = ""


@DBOS.step()
def rp_price(number: int) -> int:
    calls.note("rp_price", number)
    return number * 10


@DBOS.step(name="rp_discount")
def rp_other(number: int) -> int:
    calls.note("rp_other", number)
    return number


@DBOS.step()
def rp_refused() -> None:
    calls.note("rp_refused")
    raise ValueError("no stock")


@DBOS.workflow()
def rp_ship(address: str, price: int) -> str:
    return f"{address} {rp_price(price)}"


@DBOS.workflow()
def rp_order(number: int) -> dict[str, Any]:
    """Everything that a sync body can call."""
    change = Deployed.change
    price = rp_other(number) if change == "renamed" else rp_price(number)
    if change == "inserted":
        rp_other(number)
    DBOS.set_event("price", price + (change == "event"))
    DBOS.write_stream("log", "dear" if change == "stream" else "begun")
    child = rp_ship("Rome", price + (change == "child"))
    handle = queue.enqueue(rp_ship, "Oslo", price)
    DBOS.send(DBOS.workflow_id or "", "paid", "money")
    paid = DBOS.recv("money", 60)
    DBOS.sleep(0.001)
    seen = DBOS.get_event(DBOS.workflow_id or "", "price", 60)
    try:
        rp_refused()
    except ValueError as error:
        why = str(error)
    if change != "removed":
        rp_price(7)
    if change == "added":
        rp_other(8)
    if change == "fails":
        raise KeyError(number)
    result = {"child": child, "queued": handle.get_result(), "paid": paid, "seen": seen, "why": why}
    return result | {"extra": 1} if change == "returns" else result


@DBOS.workflow()
def rp_failing(number: int) -> None:
    rp_price(number)
    raise ValueError("other" if Deployed.change == "message" else "same")


@DBOS.workflow()
def rp_waiting(number: int) -> str:
    rp_price(number)
    if Deployed.change == "moved":
        rp_other(number)
    DBOS.set_event("ready", True)
    return f"{DBOS.recv('go', 3600)} {rp_price(number + 1)}"


@DBOS.workflow()
def rp_patched(number: int) -> int:
    rp_price(number)
    if Deployed.change == "patched" and DBOS.patch("discount"):
        rp_other(number)
    price = rp_price(number + 1)
    if Deployed.change == "at the end" and DBOS.patch("last"):
        rp_other(number)
    return price


@DBOS.workflow()
def rp_threads() -> list[int]:
    with ThreadPoolExecutor() as pool:
        reserved = [DBOS.reserve_step() for _ in range(3)]
        steps = [
            pool.submit(_in_this_context(each.run), None, rp_price, number)
            for number, each in enumerate(reserved)
        ]
        return [each.result() for each in steps]


def _in_this_context(call: Any) -> Any:
    from contextvars import copy_context

    context = copy_context()
    return lambda *args: context.run(call, *args)


@DBOS.transaction()
def rp_book(number: int) -> int:
    calls.note("rp_book", number)
    return number


@DBOS.workflow()
def rp_booked(number: int) -> int:
    return rp_book(number) + rp_book(number + 1)


@DBOS.workflow()
def rp_odd(number: int) -> int:
    if Deployed.change == "asks":
        DBOS.list_application_versions()
    if Deployed.change == "hangs":
        never.wait()
    return rp_price(number)


class Branches:
    """Branches of rp_gather that have begun, and what lets the slow one end."""

    release = asyncio.Event()


@DBOS.step()
async def rp_fetch(number: int) -> int:
    calls.note("rp_fetch", number)
    if number == 0:
        await Branches.release.wait()
    return number


@DBOS.workflow()
async def rp_child(number: int) -> int:
    return await rp_fetch(number)


def _branch(number: int) -> asyncio.Task[int]:
    first, second = DBOS.reserve_step(), DBOS.reserve_step()

    async def run() -> int:
        value = await first.run_async(None, rp_fetch, number)
        return value + await second.run_async(None, rp_fetch, number + 10)

    return asyncio.create_task(run())


@DBOS.workflow()
async def rp_gather(slow: bool) -> list[int]:
    branches = [_branch(each) for each in ([0, 1, 2] if slow else [1, 2])]
    if Deployed.change == "one more":
        branches.append(_branch(3))
    return [*await asyncio.gather(*branches), await asyncio.to_thread(lambda: 5)]


@DBOS.workflow()
async def rp_late() -> list[int]:
    """Results that are drawn when they are there, in whatever order."""
    handles = []
    for number in (1, 2, 3):
        with SetWorkflowID(f"{DBOS.workflow_id}-child-{number}"):
            handles.append(await DBOS.start_workflow_async(rp_child, number))
    return await asyncio.gather(*(each.get_result() for each in handles))
