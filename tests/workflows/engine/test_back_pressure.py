"""The journal's bounds: writes beyond them wait for room, and each one gets its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dboshub import DBOS, SetWorkflowID
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.journal.admission import Admission
from dboshub.workflows.engine.journal.group_commit import Journal
from tests.support.eventually import eventually_async

MANY = 40


@DBOS.workflow(name="pressed.never_runs")
def never_runs(text: str) -> None: ...


@contextmanager
def nothing_commits(journal: Journal) -> Iterator[None]:
    """Writes that no side lane commits stay pending in this block."""
    with journal._main.lock:
        yield


@pytest.fixture
def journal(dbos: type[DBOS]) -> Journal:
    DBOS.register_queue("pressed", worker_concurrency=0)
    return current_engine.engine().journal


async def enqueue(text: str = "x") -> str:
    return (await DBOS.enqueue_workflow_async("pressed", never_runs, text)).workflow_id


def is_full(admission: Admission) -> bool:
    return len(admission) + admission.waiting == MANY


async def pressed(journal: Journal, text: str = "x") -> list[asyncio.Task[str]]:
    """Tasks whose writes have all been handed in."""
    tasks = [asyncio.create_task(enqueue(text)) for _ in range(MANY)]

    async def handed_in() -> bool:
        return is_full(journal.admission)

    await eventually_async(handed_in)
    return tasks


def test_pending_writes_are_bounded_in_number(journal: Journal) -> None:
    journal.admission.most = 3

    async def press() -> list[str]:
        with nothing_commits(journal):
            tasks = await pressed(journal)
            assert (len(journal.admission), journal.admission.waiting) == (3, MANY - 3)
        return await asyncio.gather(*tasks)

    assert len({*asyncio.run(press())}) == MANY
    assert (len(journal.admission), journal.admission.size) == (0, 0)


def test_pending_writes_are_bounded_in_size(journal: Journal) -> None:
    journal.admission.most_size = 100_000

    async def press() -> list[str]:
        with nothing_commits(journal):
            tasks = await pressed(journal, "x" * 30_000)
            assert 0 < journal.admission.size <= 100_000
            assert journal.admission.waiting >= MANY - 3
        return await asyncio.gather(*tasks)

    assert len({*asyncio.run(press())}) == MANY


def test_a_write_above_the_bound_is_admitted_alone(journal: Journal) -> None:
    journal.admission.most_size = 1_000

    async def press() -> list[str]:
        return await asyncio.gather(*(enqueue("x" * 5_000) for _ in range(MANY)))

    assert len({*asyncio.run(press())}) == MANY


def test_writes_of_side_lanes_make_room_too(journal: Journal) -> None:
    journal.admission.most = 2

    async def chosen(name: str) -> str:
        with SetWorkflowID(name):
            return await enqueue()

    async def press() -> list[str]:
        return await asyncio.gather(*(chosen(f"w{n}") for n in range(MANY)))

    assert asyncio.run(press()) == [f"w{n}" for n in range(MANY)]


def test_a_task_cancelled_while_it_waits_for_room_still_awaits_its_write(journal: Journal) -> None:
    journal.admission.most = 1

    async def chosen() -> str:
        with SetWorkflowID("cancelled"):
            return await enqueue()

    async def press() -> None:
        with nothing_commits(journal):
            others = await pressed(journal)
            task = asyncio.create_task(chosen())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.sleep(0)
            assert not task.done()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.gather(*others)

    asyncio.run(press())
    assert DBOS.get_workflow_status("cancelled") is not None
