"""The hub under load, what people show of it, and what changes beneath them."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.loaded import TICKS
from bench.loaded.pages import Tab, Visitor
from tests.browser.hub import PASSWORD, HubProcess
from tests.live.foreign import ForeignWriter

WORKFLOWS, LISTS, SHARED = 500, 100, "load-shared"
# Below the sockets one person may hold.
PER_USER = 90
GIVEN_UP_S = 10.0


class LoadedHub(HubProcess):
    settings = "bench.loaded.settings"
    application = "bench.loaded.asgi:application"

    def __init__(self, url: str, data: Path) -> None:
        super().__init__(url, data)
        self.environment |= {"DBOSHUB_DATABASE_POOL": "4", "DBOSHUB_ROLLUPS": "0"}
        self.ticks = data / TICKS

    def memory_mb(self) -> float:
        """What the web process holds in memory."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(each for each in status.splitlines() if each.startswith("VmRSS"))
        return int(line.split()[1]) / 1024


@dataclass
class Load:
    """The hub, its pages and what changes beneath them."""

    hub: LoadedHub
    writer: ForeignWriter
    visitors: list[Visitor] = field(default_factory=list)
    tabs: list[Tab] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)

    def fill(self) -> None:
        now = int(time.time() * 1000)
        for number in range(WORKFLOWS):
            named = {"name": f"task-{number % LISTS:02}", "created_at": now - 60_000 + number}
            self.writer.add(f"load-{number}", application_name="load", **named)
        self.writer.add(SHARED, name="shared", application_name="load", created_at=now)

    def sign_in(self) -> None:
        for number in range((WORKFLOWS + LISTS) // PER_USER + 1):
            self.hub.add_user(f"user-{number}", "superuser")
            self.visitors.append(Visitor(self.hub.url, f"user-{number}", PASSWORD))

    def addresses(self) -> list[str]:
        """A list leaves one name out: each of a hundred filters shows what all share."""
        lists = [f"/workflows/?name=!task-{number:02}" for number in range(LISTS)]
        return [*lists, *(f"/workflows/run/load-{number}" for number in range(WORKFLOWS))]

    async def open(self, addresses: list[str]) -> None:
        """Open pages and wait until each says that it is live."""
        for address in addresses:
            visitor = self.visitors[len(self.tabs) // PER_USER]
            tab = Tab(visitor, await asyncio.to_thread(visitor.regions, address))
            self.tabs.append(tab)
            self.tasks.append(asyncio.create_task(tab.follow()))
        await asyncio.wait_for(asyncio.gather(*(tab.is_live.wait() for tab in self.tabs)), 60)

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tabs.clear()
        self.tasks.clear()

    async def change(self, workflow_id: str) -> list[float]:
        """Change a workflow's status; after how many seconds each page that shows it heard."""
        self.statuses[workflow_id] += 1
        # Between two that are in flight: what has ended is read again only now and then.
        status = ("ENQUEUED", "PENDING")[self.statuses[workflow_id] % 2 == 0]
        watching = [(tab, topics) for tab in self.tabs if (topics := tab.topics_of(workflow_id))]
        begun = time.monotonic()
        now = int(time.time() * 1000)
        await asyncio.to_thread(self.writer.change, workflow_id, status=status, updated_at=now)

        def heard(tab: Tab, topics: set[str]) -> float | None:
            at = [tab.heard_at.get(topic, 0.0) for topic in topics]
            return max(at) - begun if min(at) >= begun else None

        deadline = begun + GIVEN_UP_S
        while time.monotonic() < deadline:
            took = [heard(*each) for each in watching]
            if None not in took:
                return [each for each in took if each is not None]
            await asyncio.sleep(0.02)
        return [each if each is not None else GIVEN_UP_S for each in took]

    def notes(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.hub.ticks.read_text().splitlines()]

    async def ticks(self, seconds: float) -> list[dict[str, Any]]:
        """What the watcher's ticks were in so many seconds from now on."""
        before = len(self.notes())
        await asyncio.sleep(seconds)
        return self.notes()[before:]
