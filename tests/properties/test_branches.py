"""Branches that run at once replay: each gets what it got, in the order in which it came."""

from __future__ import annotations

import asyncio
from contextlib import closing
from random import Random

import pytest

from dboshub import DBOS
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.sql import Statement
from tests.properties.branches import branches_workflow, branching
from tests.support.launched import config, dbos, launch

__all__ = ["config", "dbos", "launch"]

STEPS = Statement("SELECT function_id FROM {operation_outputs} WHERE workflow_uuid = :id")
FORGET = Statement(
    "DELETE FROM {operation_outputs} WHERE workflow_uuid = :id AND function_id = :step_id"
)
CANCELLED = Statement("UPDATE {workflow_status} SET status = 'CANCELLED' WHERE workflow_uuid = :id")


def steps_of(database: Database, workflow_id: str) -> set[int]:
    with database.reading() as session:
        return {step_id for (step_id,) in session.all(STEPS, id=workflow_id)}


async def check(url: str, seed: int) -> None:
    with closing(open_database(url)) as database:
        await replays(database, seed)


async def replays(database: Database, seed: int) -> None:
    """Run a program; replay all of it, a part, and what a process that was killed had recorded."""
    random = Random(seed)
    handle = await DBOS.start_workflow_async(branches_workflow, branching(random))
    workflow_id = handle.get_workflow_id()
    await asyncio.sleep(Random().uniform(0, 0.1))
    when_killed = await asyncio.to_thread(steps_of, database, workflow_id)
    first = await handle.get_result()
    steps = steps_of(database, workflow_id)
    fork = await DBOS.fork_workflow_async(workflow_id, max(steps) + 1)
    assert await fork.get_result() == first, (seed, "all of it")
    start = random.randint(1, max(steps))
    fork = await DBOS.fork_workflow_async(workflow_id, start)
    assert len(await fork.get_result()) == len(first), (seed, "from", start)
    with database.writing() as session:
        for step_id in steps - when_killed:
            session.run(FORGET, id=workflow_id, step_id=step_id)
        session.run(CANCELLED, id=workflow_id)
    resumed = await DBOS.resume_workflow_async(workflow_id)
    result = await resumed.get_result()
    assert len(result) == len(first), (seed, "resumed from", len(when_killed), "steps")
    last = max(steps_of(database, workflow_id))
    fork = await DBOS.fork_workflow_async(workflow_id, last + 1)
    assert await fork.get_result() == result, (seed, "what was resumed")


async def check_all(url: str, seeds: range, at_once: int) -> None:
    places, failed = asyncio.Semaphore(at_once), list[tuple[int, str]]()

    async def limited(seed: int) -> None:
        async with places:
            try:
                await asyncio.wait_for(check(url, seed), 60)
            except Exception as error:
                failed.append((seed, repr(error)[:300]))

    await asyncio.gather(*map(limited, seeds))
    assert failed == []


@pytest.mark.parametrize("at_once", [1, 8])
async def test_branches_replay(dbos: type[DBOS], database_url: str, at_once: int) -> None:
    await check_all(database_url, range(12), at_once)


@pytest.mark.crash
@pytest.mark.timeout(900)
@pytest.mark.parametrize("at_once", [1, 8])
async def test_many_branches_replay(dbos: type[DBOS], database_url: str, at_once: int) -> None:
    await check_all(database_url, range(100, 300), at_once)
