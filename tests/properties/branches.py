"""Random workflows with branches that run at once, and note what they get in its order."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable
from random import Random
from typing import Any

from dboshub import DBOS

Node = list[Any]
LABELS = ("a", "b")  # few: branches call the same step
PAUSES_MS = (0, 0, 1, 2, 5, 15)
KINDS = (
    *("step", "step", "other", "other", "failing", "turns"),
    *("sleep", "event", "child", "handle", "message"),
)


@DBOS.step()
async def branches_step(label: str, longest_ms: int) -> str:
    """Takes another time whenever it runs, and returns another value."""
    await asyncio.sleep(Random().uniform(0, longest_ms) / 1000)
    return f"{label}-{uuid.uuid4().hex[:6]}"


@DBOS.step()
async def branches_other_step(label: str, longest_ms: int) -> str:
    if longest_ms:
        await asyncio.sleep(Random().uniform(0, longest_ms) / 1000)
    return f"{label}-{uuid.uuid4().hex[:6]}"


@DBOS.step()
async def branches_failing_step(label: str) -> str:
    raise ValueError(f"{label}-{uuid.uuid4().hex[:6]}")


@DBOS.workflow()
async def branches_child(label: str, longest_ms: int) -> str:
    return await branches_step(label, longest_ms)


@DBOS.workflow()
async def branches_workflow(node: Node) -> list[str]:
    run = Run()
    await run.perform(node)
    return run.got


class Run:
    """One execution of a program: what its branches got, in the order in which they got it."""

    def __init__(self) -> None:
        self.got: list[str] = []

    async def note(self, value: Awaitable[Any]) -> None:
        self.got.append(str(await value))

    async def perform(self, node: Node) -> None:
        kind, *rest = node
        await getattr(self, kind)(*rest)

    async def step(self, label: str, longest_ms: int) -> None:
        await self.note(branches_step(label, longest_ms))

    async def other(self, label: str, longest_ms: int) -> None:
        await self.note(branches_other_step(label, longest_ms))

    async def failing(self, label: str) -> None:
        try:
            await branches_failing_step(label)
        except ValueError as error:
            self.got.append(str(error))

    async def turns(self, count: int) -> None:
        """Turns of the event loop that belong to no operation, then one that does."""
        for _ in range(count):
            await asyncio.sleep(0)
        await self.step("t", 1)

    async def sleep(self, longest_ms: int) -> None:
        await DBOS.sleep_async(longest_ms / 1000 + 0.001)
        self.got.append("slept")

    async def event(self, key: str) -> None:
        await DBOS.set_event_async(key, len(self.got))
        self.got.append(key)

    async def message(self, longest_ms: int) -> None:
        await self.note(DBOS.recv_async("nothing", timeout_seconds=longest_ms / 1000))

    async def child(self, label: str, longest_ms: int) -> None:
        await self.note(branches_child(label, longest_ms))

    async def handle(self, label: str, longest_ms: int) -> None:
        handle = await DBOS.start_workflow_async(branches_child, label, longest_ms)
        await self.note(handle.get_result())

    async def one_by_one(self, *nodes: Node) -> None:
        for each in nodes:
            await self.perform(each)

    async def at_once(self, *nodes: Node) -> None:
        await asyncio.gather(*map(self.perform, nodes))

    async def as_completed(self, *nodes: Node) -> None:
        # asyncio would begin coroutines in the order of a set.
        tasks = [asyncio.ensure_future(self.perform(each)) for each in nodes]
        for each in asyncio.as_completed(tasks):
            await each
            await self.step("c", 1)

    async def semaphore(self, limit: int, *nodes: Node) -> None:
        places = asyncio.Semaphore(limit)

        async def limited(node: Node) -> None:
            async with places:
                await self.perform(node)

        await asyncio.gather(*map(limited, nodes))

    async def queue(self, workers: int, *nodes: Node) -> None:
        left: asyncio.Queue[Node] = asyncio.Queue()
        for each in nodes:
            left.put_nowait(each)

        async def work() -> None:
            while not left.empty():
                await self.perform(left.get_nowait())

        await asyncio.gather(*(work() for _ in range(workers)))

    async def time_limit(self, limit_ms: int, node: Node) -> None:
        """The limit is never reached, but the node runs in a task of its own."""
        await asyncio.wait_for(self.perform(node), limit_ms)

    async def group(self, *nodes: Node) -> None:
        async with asyncio.TaskGroup() as tasks:
            for each in nodes:
                tasks.create_task(self.perform(each))


def program(random: Random, *, depth: int = 3) -> Node:
    """A tree of branches."""
    kind = random.choice(KINDS)
    pause = random.choice(PAUSES_MS)
    if depth and random.random() < 0.7:
        nodes = [program(random, depth=depth - 1) for _ in range(random.randint(2, 4))]
        kind = random.choice(
            ("at_once", "at_once", "one_by_one", "one_by_one", "as_completed", "group")
        )
        more = random.random()
        if more < 0.15:
            return ["semaphore", random.randint(1, 3), *nodes]
        if more < 0.3:
            return ["queue", random.randint(2, 3), *nodes]
        if more < 0.4:
            return ["time_limit", 60_000, [kind, *nodes]]
        return [kind, *nodes]
    if kind == "sleep" or kind == "message":
        return [kind, pause]
    if kind == "turns":
        return [kind, random.randint(1, 60)]
    if kind == "failing":
        return [kind, random.choice(LABELS)]
    if kind == "event":
        return [kind, random.choice("kl")]
    return [kind, random.choice(LABELS), pause]


def branching(random: Random) -> Node:
    return ["at_once", *(program(random) for _ in range(random.randint(2, 4)))]
