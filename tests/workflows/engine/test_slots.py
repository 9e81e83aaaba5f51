"""Slots: capacity is given back once, however waits and ends of a workflow race."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import pytest

from dboshub import DBOS
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.runtime.slots import Slots
from tests.support.eventually import eventually


@DBOS.workflow(name="slots.races")
async def races(number: int) -> int:
    slow = asyncio.create_task(DBOS.recv_async("never", timeout_seconds=0.2))
    fast = asyncio.create_task(DBOS.sleep_async(0.01))
    await asyncio.wait([slow, fast], return_when=asyncio.FIRST_COMPLETED)
    return number


@DBOS.workflow(name="slots.queued")
def queued(number: int) -> int:
    return number


def test_a_wait_that_outlives_its_workflow_keeps_no_slot(launch: Callable[..., None]) -> None:
    launch(max_executor_threads=3)

    async def race() -> list[int]:
        handles = [await DBOS.start_workflow_async(races, n) for n in range(6)]
        return [await each.get_result() for each in handles]

    assert asyncio.run(race()) == [*range(6)]
    DBOS.register_queue("q")
    assert DBOS.enqueue_workflow("q", queued, 7).get_result() == 7
    eventually(lambda: current_engine.engine().slots.used == 0)


class Holder:
    queue_name = None


@pytest.mark.parametrize("order", [*itertools.permutations(("first", "second", "end"))])
def test_no_order_of_two_waits_and_the_end_leaks_a_slot(order: tuple[str, ...]) -> None:
    slots, holder = Slots(1), Holder()
    slots.admit(holder)
    waits = {name: slots.without_slot(holder) for name in ("first", "second")}
    for each in waits.values():
        each.__enter__()
    assert slots.used == 0
    for event in order:
        if event == "end":
            slots.dismiss(holder)
        else:
            waits[event].__exit__(None, None, None)
            assert slots.used <= 1
    assert (slots.used, slots.free) == (0, 1)


def test_a_slot_that_comes_free_is_announced_once() -> None:
    freed: list[object] = []
    slots, holder = Slots(1, freed.append), Holder()
    slots.admit(holder)
    slots.dismiss(holder)
    slots.dismiss(holder)
    assert freed == [holder]
