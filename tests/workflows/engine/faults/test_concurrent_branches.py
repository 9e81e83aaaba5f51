"""Branches of several steps that run at once are replayed; changed ones are told so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from dboshub import DBOS, SetWorkflowID
from dboshub.error import DBOSUnexpectedStepError

ORDERS = ("slow", "quick")
SENT: list[str] = []


async def pack(order: str) -> str:
    # The branch that begins last has ended before the first step of the other one ends.
    while order == "slow" and not SENT:
        await asyncio.sleep(0.01)
    return f"parcel of {order}"


async def send(parcel: str) -> str:
    SENT.append(parcel)
    return f"{parcel}, sent"


async def ship(order: str) -> str:
    parcel = await DBOS.run_step_async({"name": f"pack {order}"}, pack, order)
    return await DBOS.run_step_async({"name": f"send {order}"}, send, parcel)


CHANGED: list[bool] = []


@DBOS.workflow()
async def ship_in_branches() -> list[str]:
    orders = ORDERS[::-1] if CHANGED else ORDERS
    return await asyncio.gather(*map(ship, orders))


@DBOS.workflow()
async def ship_one_of_two() -> str:
    """Changed code begins one branch less, so a recorded result is never asked for."""
    orders = ORDERS[1:] if CHANGED else ORDERS
    return (
        await asyncio.gather(
            *[DBOS.run_step_async({"name": "pack"}, pack, each) for each in orders],
            DBOS.run_step_async({"name": "send"}, send, "quick"),
        )
    )[-1]


@DBOS.workflow()
async def ship_within_limits() -> list[str]:
    """The first branch ends with its time; the others go on."""

    async def hurried() -> str:
        try:
            return await asyncio.wait_for(DBOS.sleep_async(60), 0.05) or ""
        except TimeoutError:
            return "late"

    async def cancelled() -> str:
        sleeping = asyncio.create_task(DBOS.sleep_async(60))
        await DBOS.run_step_async({"name": "first"}, send, "first")
        sleeping.cancel()
        await asyncio.wait({sleeping})
        return await DBOS.run_step_async({"name": "second"}, send, "second")

    return await asyncio.gather(hurried(), cancelled())


@DBOS.step()
def write_down(parcel: str) -> str:
    """A sync step, which blocks the event loop."""
    return f"{parcel}, written down"


@DBOS.workflow()
async def ship_with_blocking_steps() -> list[str]:
    async def branch(order: str) -> str:
        return write_down(await DBOS.run_step_async({"name": "send"}, send, write_down(order)))

    return await asyncio.gather(*map(branch, ORDERS), DBOS.sleep_async(0.02))


@DBOS.workflow()
async def ship_by_one_that_looks() -> list[str]:
    """A branch looks again and again for what another one does."""
    shipped: list[str] = []

    async def look() -> str:
        while not shipped:
            await asyncio.sleep(0)
        return await DBOS.run_step_async({"name": "look"}, send, "seen")

    async def branch() -> str:
        shipped.append(await DBOS.run_step_async({"name": "send"}, send, "parcel"))
        return shipped[0]

    return await asyncio.gather(look(), branch())


@DBOS.workflow()
async def ship_until_one_fails() -> str:
    async def fail() -> None:
        await DBOS.run_step_async({"name": "send"}, send, "lost")
        raise ValueError("lost")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(DBOS.sleep_async(60))
            group.create_task(ship("quick"))
    except* ValueError:
        pass
    return await DBOS.run_step_async({"name": "after"}, send, "after")


@DBOS.workflow()
async def ship_by_reserved_steps() -> list[str]:
    async def branch(order: str, packing: Any, sending: Any) -> str:
        parcel = await packing.run_async({"name": f"pack {order}"}, pack, order)
        result: str = await sending.run_async({"name": f"send {order}"}, send, parcel)
        return result

    return await asyncio.gather(
        *[branch(order, DBOS.reserve_step(), DBOS.reserve_step()) for order in ORDERS]
    )


@DBOS.workflow()
async def ship_one(order: str) -> str:
    return await ship(order)


@DBOS.workflow()
async def ship_by_children() -> list[str]:
    return await asyncio.gather(*map(ship_one, ORDERS))


def run_and_replay(workflow: Callable[[], Any], *, is_changed: bool = False) -> tuple[Any, Any]:
    """The result of a run, and the handle of a replay of all that it recorded."""
    SENT.clear()
    CHANGED.clear()
    with SetWorkflowID("w"):
        result = DBOS.start_workflow(workflow).get_result()
    steps = DBOS.list_workflow_steps("w")
    CHANGED.extend([True] * is_changed)
    return result, DBOS.fork_workflow("w", max(each["function_id"] for each in steps) + 1)


@pytest.mark.parametrize("workflow", [ship_in_branches, ship_by_reserved_steps, ship_by_children])
def test_branches_of_several_steps_are_replayed(
    dbos: type[DBOS], workflow: Callable[[], Any]
) -> None:
    result, replay = run_and_replay(workflow)
    assert result == ["parcel of slow, sent", "parcel of quick, sent"]
    assert replay.get_result() == result


WORKFLOWS = [
    ship_within_limits,
    ship_with_blocking_steps,
    ship_by_one_that_looks,
    ship_until_one_fails,
]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_branches_that_end_in_other_ways_are_replayed(
    dbos: type[DBOS], workflow: Callable[[], Any]
) -> None:
    result, replay = run_and_replay(workflow)
    assert replay.get_result() == result


@pytest.mark.timeout(30)
@pytest.mark.parametrize("workflow", [ship_in_branches, ship_one_of_two])
def test_changed_branches_are_told_so_soon(dbos: type[DBOS], workflow: Callable[[], Any]) -> None:
    _, replay = run_and_replay(workflow, is_changed=True)
    with pytest.raises(DBOSUnexpectedStepError):
        replay.get_result()
