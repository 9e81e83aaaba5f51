"""Branches of several steps that run at once: what a replay can repeat, and what it says if not."""

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


@DBOS.workflow()
async def ship_in_branches() -> list[str]:
    return await asyncio.gather(*map(ship, ORDERS))


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


def run_and_replay(workflow: Callable[[], Any]) -> tuple[Any, Callable[[], Any]]:
    """The result of a run, and what gives the result of a replay of all that it recorded."""
    SENT.clear()
    with SetWorkflowID("w"):
        result = DBOS.start_workflow(workflow).get_result()
    steps = DBOS.list_workflow_steps("w")
    replay = DBOS.fork_workflow("w", max(each["function_id"] for each in steps) + 1)
    return result, replay.get_result


@pytest.mark.parametrize("workflow", [ship_by_reserved_steps, ship_by_children])
def test_branches_whose_steps_are_numbered_before_they_run_are_replayed(
    dbos: type[DBOS], workflow: Callable[[], Any]
) -> None:
    result, replay = run_and_replay(workflow)
    assert result == ["parcel of slow, sent", "parcel of quick, sent"]
    assert replay() == result


def test_branches_whose_order_is_chance_are_told_what_they_need(dbos: type[DBOS]) -> None:
    _, replay = run_and_replay(ship_in_branches)
    with pytest.raises(DBOSUnexpectedStepError, match=r"DBOS\.reserve_step\(\) before they begin"):
        replay()
