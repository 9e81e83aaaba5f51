"""Five hundred open pages on one web process: what its live view promises, and what it does.

The pages are real ones, fetched and followed as a browser would: 500 workflows, and 100 lists, each
with a filter of its own. Changes come from outside, as another library's process makes them.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from websockets.exceptions import ConnectionClosed

from bench.loaded.hub import GIVEN_UP_S, SHARED, WORKFLOWS, Load, LoadedHub
from bench.loaded.pages import Tab
from dboshub.workflows.storage.database import open_database
from tests.live.foreign import ForeignWriter
from tests.support.postgres import durable_server

ROUNDS = 20
WITHIN_S = 1.0
STALLED, STALLED_S, MOST_MB = 50, 30.0, 50
IDS_A_STATEMENT = 2_000
# As in workflows.live.source.Timings.
TICK_S, SWEEP_S = 0.5, 30.0


@dataclass
class Report:
    """Promises, beside what was measured."""

    kept: bool = True

    def add(self, promise: str, measured: str, kept: bool) -> None:
        self.kept &= kept
        print(f"  {promise:<62}{measured:<34}{'' if kept else 'BROKEN'}", flush=True)


def spread(took: list[float]) -> str:
    middle = statistics.median(took)
    last = statistics.quantiles(took, n=20)[-1] if len(took) > 1 else middle
    return f"{middle:.2f} s, p95 {last:.2f}, max {max(took):.2f}"


async def statements(load: Load, report: Report) -> None:
    """A page's own statements are those it ever needs, as if all were due in one tick."""
    addresses = load.addresses()
    await load.open([addresses[0], addresses[-1]])
    seen: Counter[int] = Counter()
    for note in await load.ticks(SWEEP_S + 5):
        seen |= Counter(note["statements"])
    alone = seen.total()
    await load.close()
    await load.open(addresses)
    notes = await load.ticks(SWEEP_S + 5)
    most = max(len(note["statements"]) for note in notes)
    topics = max(note["topics"] for note in notes)
    allowed = alone + topics // IDS_A_STATEMENT
    took = max(note["took"] for note in notes)
    report.add(
        f"statements a tick: at most {allowed}, as one page and 1 per 2,000 ids",
        f"{most} for {topics:,} topics; {took * 1000:.0f} ms",
        most <= allowed,
    )


async def changes(load: Load, report: Report) -> float:
    """One change of one page's workflow, one of what all lists show; the slowest arrival."""
    single: list[float] = []
    shared: list[float] = []
    for number in range(ROUNDS):
        single += await load.change(f"load-{number * 7}")
        shared += await load.change(SHARED)
        await asyncio.sleep(0.3)
    report.add(
        "a change reaches its page and its lists within 1 s",
        spread(single),
        max(single) <= WITHIN_S,
    )
    report.add(
        f"a change reaches all {len(shared) // ROUNDS} pages that show it within 1 s",
        spread(shared),
        max(shared) <= WITHIN_S,
    )
    return max(*single, *shared)


async def slow_pages(load: Load, report: Report, slowest: float) -> None:
    """Somebody asks for a page whose query takes seconds, thrice."""
    took: list[float] = []
    for visitor in load.visitors[:3]:
        asked = asyncio.create_task(asyncio.to_thread(visitor.get, "/slow/"))
        while not asked.done():
            took += await load.change(SHARED)
        await asked
    report.add(
        f"a slow page query delays no frame by more than a tick ({TICK_S} s)",
        spread(took),
        max(took) <= slowest + TICK_S,
    )


async def stalled_readers(load: Load, report: Report) -> None:
    """Pages that stop reading while what they show goes on changing."""
    await load.close()
    await load.open([load.addresses()[0]])
    before = load.hub.memory_mb()
    stalled = []
    for number in range(STALLED):
        visitor = load.visitors[number % len(load.visitors)]
        regions = await asyncio.to_thread(visitor.regions, load.addresses()[number])
        stalled.append(Tab(visitor, regions))
        await stalled[-1].open(most_queued=1)
    most, until = before, time.monotonic() + STALLED_S
    while time.monotonic() < until:
        for number in range(WORKFLOWS - 40, WORKFLOWS):
            await asyncio.to_thread(
                load.writer.change, f"load-{number}", updated_at=time.time_ns() // 10**6
            )
        await load.change(SHARED)
        most = max(most, load.hub.memory_mb())
    closed = sum(await asyncio.gather(*map(is_closed, stalled)))
    grown = most - before
    report.add(
        f"{STALLED} pages that stop reading are closed", f"{closed} closed", closed == STALLED
    )
    report.add(f"memory grows by less than {MOST_MB} MB", f"{grown:.1f} MB", grown < MOST_MB)


async def is_closed(tab: Tab) -> bool:
    """Whether there is an end to what can be read from a page that did not read so far."""
    assert tab.socket is not None
    try:
        async with asyncio.timeout(GIVEN_UP_S):
            while True:
                await tab.socket.recv()
    except ConnectionClosed:
        return True
    except TimeoutError:
        return False


async def run(load: Load) -> bool:
    report = Report()
    await asyncio.to_thread(load.sign_in)
    await statements(load, report)
    slowest = await changes(load, report)
    await slow_pages(load, report, slowest)
    await stalled_readers(load, report)
    await load.close()
    return report.kept


def measure(url: str) -> bool:
    """Whether a hub on this database keeps all promises."""
    with tempfile.TemporaryDirectory(prefix="dboshub-load-") as data:
        hub = LoadedHub(url, Path(data))
        hub.prepare("ada")
        database = open_database(url)
        hub.start()
        try:
            load = Load(hub, ForeignWriter(database))
            load.fill()
            return asyncio.run(run(load))
        finally:
            hub.kill()
            database.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("SQLite", "PostgreSQL"))
    options = parser.parse_args()
    kept = True
    if options.only != "PostgreSQL":
        print("\nSQLite", flush=True)
        with tempfile.TemporaryDirectory(prefix="dboshub-load-") as directory:
            kept &= measure(f"sqlite:///{directory}/system.sqlite3")
    if options.only != "SQLite":
        print("\nPostgreSQL", flush=True)
        with durable_server().fresh_database() as url:
            kept &= measure(url)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
