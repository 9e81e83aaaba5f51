"""The dashboard under attack: each flood for a minute, then all of them, then SIGTERM.

Floods come from a process of their own and twenty addresses: of people without an account, and of
a viewer. Meanwhile somebody else reads pages and follows one. It fails when the 95th percentile of
their pages reaches a second, when an answer is not a page, when the process grows by 100 MiB, or
when it does not end in time after SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.attacked.generator import BY_NAME
from bench.attacked.hub import WITNESS, AttackedHub
from bench.attacked.witness import Seen, Witness, spread
from tests.browser.hub import PASSWORD
from tests.support.postgres import durable_server

PAGE_S, GROWN_MIB = 1.0, 100
QUIET, ALL, STOP = "no flood", "all floods", "SIGTERM"
# Until what a flood left behind has ended.
REST_S = 5.0


@dataclass
class Report:
    """The table of one database, and what broke in it."""

    database: str
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, flood: str, seen: Seen, told: str) -> None:
        pages, pushes = spread(seen.pages), spread(seen.pushes)
        kept = bool(pages) and pages["p95"] < PAGE_S and seen.grown_mib < GROWN_MIB
        kept &= not seen.failures()
        self.rows.append(
            {
                "flood": flood,
                "pages": pages,
                "pushes": pushes,
                "answers": dict(seen.answers),
                "grown_mib": round(seen.grown_mib, 1),
                "kept": kept,
                "attacker": told,
            }
        )
        cells = _cells(pages) + _cells(pushes) + f"{seen.grown_mib:>9.1f}{seen.failures():>7}"
        print(f"{flood:<24}{cells}{'' if kept else '  BROKEN'}", flush=True)

    def stopped(self, seconds: float | None) -> None:
        kept = seconds is not None
        self.rows.append({"flood": STOP, "seconds": seconds, "kept": kept})
        told = f"{seconds:.1f} s" if seconds is not None else "not within its limit"
        print(f"{STOP:<24}{told}{'' if kept else '  BROKEN'}", flush=True)

    def head(self) -> None:
        names = "".join(f"{name:>8}" for name in ("p50", "p95", "max"))
        print(f"\n{self.database:<24}{'pages, s':>24}{'pushes, s':>24}{'grown':>9}{'failed':>7}")
        print(f"{'':<24}{names}{names}{'MiB':>9}", flush=True)


def _cells(found: dict[str, float]) -> str:
    return "".join(f"{found.get(name, float('nan')):>8.2f}" for name in ("p50", "p95", "max"))


async def run(
    hub: AttackedHub, witness: Witness, report: Report, names: list[str], seconds: float
) -> None:
    """Each flood by itself, and at last all of them, during which the process is stopped."""
    target = await asyncio.to_thread(hub.target)
    report.head()
    await witness.watch(seconds / 6)
    report.add(QUIET, await witness.watch(seconds / 3), "")
    for name in names:
        floods = hub.attack([name], target, seconds)
        seen = await witness.watch(seconds)
        report.add(name, seen, (await asyncio.to_thread(hub.told, floods)).strip())
        await asyncio.sleep(REST_S)
    floods = hub.attack(names, target, 2 * seconds)
    report.add(ALL, await witness.watch(seconds), "")
    report.stopped(await asyncio.to_thread(hub.seconds_to_stop))
    floods.kill()
    floods.wait()


def measure(database: str, url: str, options: argparse.Namespace) -> Report:
    report = Report(database)
    with tempfile.TemporaryDirectory(prefix="dboshub-attack-") as data:
        hub = AttackedHub(url, Path(data))
        opened, writer = hub.fill(options.rows)
        hub.start()
        try:
            witness = Witness(hub, writer, WITNESS, PASSWORD)
            asyncio.run(run(hub, witness, report, options.flood or [*BY_NAME], options.seconds))
        finally:
            hub.kill()
            opened.close()
            if options.log:
                Path(options.log).write_bytes(hub.log.read_bytes())
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("SQLite", "PostgreSQL"))
    parser.add_argument("--seconds", type=float, default=60, help="of each flood")
    parser.add_argument("--rows", type=int, default=50_000, help="workflows, of ten steps each")
    parser.add_argument("--flood", action="append", choices=[*BY_NAME], help="only these")
    parser.add_argument("--json", help="a file for the figures")
    parser.add_argument("--log", help="a file for what the dashboard logged")
    options = parser.parse_args()
    reports = []
    if options.only != "PostgreSQL":
        with tempfile.TemporaryDirectory(prefix="dboshub-attack-") as directory:
            url = f"sqlite:///{directory}/system.sqlite3"
            reports.append(measure("SQLite", url, options))
    if options.only != "SQLite":
        with durable_server().fresh_database() as url:
            reports.append(measure("PostgreSQL", url, options))
    figures = {each.database: each.rows for each in reports}
    text = json.dumps(figures, indent=1)
    if options.json:
        Path(options.json).write_text(text)
    else:
        print(text)
    return 0 if all(row["kept"] for rows in figures.values() for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
