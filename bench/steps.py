"""Steps per second beside the dbos library: same program, same hour, same durable PostgreSQL.

The two take turns, each run in a process of its own on a database of its own; the table shows the
median of the rounds. PostgreSQL flushes every commit (fsync and synchronous_commit on).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.postgres import Server, durable_server

ROOT = Path(__file__).resolve().parent.parent
OURS, THEIRS = "dboshub", "dbos"


@dataclass(frozen=True)
class Race:
    """One line of the table: where, how many at once, and how many times faster we promise."""

    database: str
    shape: str
    arguments: tuple[str, ...]
    promise: float


RACES = (
    Race("PostgreSQL", "1 thread", ("--threads", "1"), 4),
    Race("PostgreSQL", "64 sync workflows", ("--threads", "64"), 15),
    Race("PostgreSQL", "200 coroutines", ("--coroutines", "200"), 25),
    Race("SQLite", "1 thread", ("--threads", "1"), 4),
)


class BenchmarkError(Exception):
    """A measured program failed."""


@contextmanager
def fresh_database(kind: str, server: Server) -> Iterator[str]:
    if kind == "PostgreSQL":
        with server.fresh_database() as url:
            yield url
    else:
        with tempfile.TemporaryDirectory(prefix="dboshub-bench-") as directory:
            yield f"sqlite:///{directory}/bench.sqlite3"


def measure(library: str, race: Race, seconds: float, server: Server) -> float:
    """Run the program once; gives its steps per second."""
    with (
        fresh_database(race.database, server) as url,
        tempfile.TemporaryDirectory(prefix="dboshub-bench-") as data,
    ):
        command = [sys.executable, "-m", "bench.program", library, url, *race.arguments]
        done = subprocess.run(
            [*command, "--seconds", str(seconds)],
            cwd=ROOT,
            env={**os.environ, "DBOSHUB_DATA_DIR": data},
            capture_output=True,
            text=True,
            timeout=60 + seconds,
            check=False,
        )
    if done.returncode:
        raise BenchmarkError(f"{library}, {race.database}, {race.shape}:\n{done.stderr[-2000:]}")
    return float(json.loads(done.stdout.splitlines()[-1])["steps_per_s"])


def run(race: Race, rounds: int, seconds: float, server: Server) -> tuple[float, float]:
    """Let both take turns; gives our median and theirs."""
    results: dict[str, list[float]] = {OURS: [], THEIRS: []}
    for turn in range(rounds):
        for library in (OURS, THEIRS) if turn % 2 else (THEIRS, OURS):
            results[library].append(measure(library, race, seconds, server))
    return statistics.median(results[OURS]), statistics.median(results[THEIRS])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="measured time of one run")
    parser.add_argument("--only", default="", help="lines whose database or shape contains this")
    options = parser.parse_args()

    server = durable_server()
    print("\nSteps per second, 10-step workflows, every commit on disk\n")
    print(f"{'database':<12}{'at once':<20}{'dboshub':>10}{'dbos':>10}{'ratio':>9}{'promise':>9}")
    kept = True
    for race in RACES:
        if options.only.lower() not in f"{race.database} {race.shape}".lower():
            continue
        ours, theirs = run(race, options.rounds, options.seconds, server)
        ratio = ours / theirs
        kept &= ratio >= race.promise
        print(
            f"{race.database:<12}{race.shape:<20}{ours:>10,.0f}{theirs:>10,.0f}"
            f"{ratio:>8.1f}x{race.promise:>8.0f}x  {'' if ratio >= race.promise else 'MISSED'}",
            flush=True,
        )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
