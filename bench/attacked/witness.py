"""Somebody who works while others attack: what their pages and their live page take."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from bench.attacked.hub import AttackedHub
from bench.loaded.pages import Tab, Visitor
from tests.live.foreign import ForeignWriter

PAUSE_S = 0.2
# Every other page by a connection of its own.
LEAVES = {"Connection": "close"}
CHANGE_EVERY_S, GIVEN_UP_S = 1.0, 10.0


@dataclass
class Seen:
    """What somebody saw in one phase: seconds of pages, seconds until a change arrived, MiB."""

    pages: list[float] = field(default_factory=list)
    pushes: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    before_mib: float = 0.0
    most_mib: float = 0.0

    @property
    def grown_mib(self) -> float:
        return self.most_mib - self.before_mib

    def failures(self) -> int:
        return self.answers.total() - self.answers["200"]


def spread(took: list[float]) -> dict[str, float]:
    if not took:
        return {}
    late = statistics.quantiles(took, n=20, method="inclusive")[-1] if len(took) > 1 else took[0]
    return {"p50": statistics.median(took), "p95": late, "max": max(took)}


class Witness:
    """A signed-in person with an address of their own."""

    def __init__(self, hub: AttackedHub, writer: ForeignWriter, name: str, password: str) -> None:
        self.hub, self.writer = hub, writer
        self.visitor = Visitor(hub.url, name, password)
        self.workflow = hub.witnessed
        self.paths = ("/", "/workflows/", f"/workflows/run/{self.workflow}")
        self._changes = 0

    async def watch(self, seconds: float) -> Seen:
        """Work for so many seconds, and measure the process meanwhile."""
        seen = Seen(before_mib=self.hub.memory_mib())
        tasks = [asyncio.create_task(work(seen)) for work in (self._read, self._follow, self._rss)]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return seen

    async def _read(self, seen: Seen) -> None:
        headers = {"Cookie": self.visitor.cookies}
        async with httpx.AsyncClient(
            base_url=self.hub.url, headers=headers, timeout=GIVEN_UP_S
        ) as client:
            number = 0
            while True:
                begun = time.monotonic()
                try:
                    told = str(
                        (
                            await client.get(
                                self.paths[number % 3], headers=LEAVES if number % 2 else {}
                            )
                        ).status_code
                    )
                except httpx.HTTPError as error:
                    told = type(error).__name__
                seen.pages.append(time.monotonic() - begun)
                seen.answers[told] += 1
                number += 1
                await asyncio.sleep(PAUSE_S)

    async def _follow(self, seen: Seen) -> None:
        while True:
            try:
                regions = await asyncio.to_thread(self.visitor.regions, self.paths[2])
                tab = Tab(self.visitor, regions)
                following = asyncio.create_task(tab.follow())
                await asyncio.wait_for(tab.is_live.wait(), GIVEN_UP_S)
                while not following.done():
                    seen.pushes.append(await self._push(tab))
                    await asyncio.sleep(CHANGE_EVERY_S)
            except (OSError, TimeoutError):
                seen.pushes.append(GIVEN_UP_S)
            finally:
                following.cancel()

    async def _push(self, tab: Tab) -> float:
        """Change the workflow as another program does; seconds until the page heard of it."""
        self._changes += 1
        change: dict[str, Any] = {"status": ("ENQUEUED", "PENDING")[self._changes % 2]}
        change["updated_at"] = int(time.time() * 1_000)
        begun = time.monotonic()
        await asyncio.to_thread(self.writer.change, self.workflow, **change)
        topics = tab.topics_of(self.workflow)
        while time.monotonic() - begun < GIVEN_UP_S:
            if min(tab.heard_at.get(topic, 0.0) for topic in topics) >= begun:
                return time.monotonic() - begun
            await asyncio.sleep(0.02)
        return GIVEN_UP_S

    async def _rss(self, seen: Seen) -> None:
        while True:
            seen.most_mib = max(seen.most_mib, self.hub.memory_mib())
            await asyncio.sleep(0.25)
