"""Branches that run at once read the history of their workflow once, not each for itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dboshub import DBOS, SetWorkflowID
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.runtime.effects import OneAtATime

BRANCHES = 1_200  # more than one chunk of a history


class Reading:
    """An effect that gives a number, once it is let go on."""

    def __init__(self, number: int, gate: asyncio.Event) -> None:
        self.number = number
        self.gate = gate

    def block(self) -> int:
        return self.number

    async def wait(self) -> int:
        await self.gate.wait()
        return self.number


async def test_one_of_many_tasks_reads_what_all_need() -> None:
    gate, taken, sharing = asyncio.Event(), list[int](), OneAtATime()
    readings = [sharing.perform(Reading(each, gate), taken.append).wait() for each in range(20)]
    everybody = asyncio.gather(*readings)
    await asyncio.sleep(0)
    gate.set()
    await everybody
    assert taken == [0]
    await sharing.perform(Reading(20, gate), taken.append).wait()
    sharing.perform(Reading(21, gate), taken.append).block()
    assert taken == [0, 20, 21]


@pytest.mark.parametrize("cancelled", [0, 1])
async def test_a_task_that_is_cancelled_leaves_the_others_waiting(cancelled: int) -> None:
    gate, taken, sharing = asyncio.Event(), list[int](), OneAtATime()
    tasks = [
        asyncio.ensure_future(sharing.perform(Reading(each, gate), taken.append).wait())
        for each in range(3)
    ]
    await asyncio.sleep(0)
    tasks[cancelled].cancel()
    gate.set()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each).__name__ for each in ended].count("CancelledError") == 1
    # Who waited for the cancelled one looks again at what it needs, and reads it.
    assert taken == ([] if cancelled == 0 else [0])


@DBOS.step()
async def doubled_once(value: int) -> int:
    return 2 * value


@DBOS.workflow()
async def doubled_in_branches() -> list[int]:
    return await asyncio.gather(*map(doubled_once, range(BRANCHES)))


def test_many_branches_are_replayed_by_few_queries(
    dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch
) -> None:
    with SetWorkflowID("wide"):
        result = DBOS.start_workflow(doubled_in_branches).get_result()
    store: Any = current_engine.engine().store
    read, queries = store.history, []

    def reads(*args: Any, **kwargs: Any) -> Any:
        queries.append(args)
        return read(*args, **kwargs)

    monkeypatch.setattr(store, "history", reads)
    assert DBOS.fork_workflow("wide", BRANCHES + 1).get_result() == result
    assert len(queries) == 2
