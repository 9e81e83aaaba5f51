"""Runs the contenders of a row in turn, each in a process of its own, on a database of its own."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from bench.engine.rows import Row
from tests.support.postgres import Server, durable_server

ROOT = Path(__file__).resolve().parents[2]
OURS, THEIRS, RAW = "dboshub", "dbos", "raw"
LIMIT_S = 180
DURABILITY = (
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_sync_method",
    "shared_buffers",
)


class BenchmarkError(Exception):
    """A measured program failed."""


@dataclass
class Result:
    """The figures of one row, a list of runs for each contender."""

    row: Row
    runs: dict[str, list[float]] = field(default_factory=dict)

    def median(self, contender: str) -> float | None:
        runs = self.runs.get(contender)
        return statistics.median(runs) if runs else None

    @property
    def ratio(self) -> float | None:
        """How many times better ours is."""
        ours, theirs = self.median(OURS), self.median(THEIRS)
        if not ours or not theirs:
            return None
        return ours / theirs if self.row.more_is_better else theirs / ours

    def reached(self, part: float = 1.0) -> bool:
        ours = self.median(OURS)
        return ours is not None and self.row.goal.reached(ours, self.ratio or 0.0, part)


class Arena:
    """A PostgreSQL of this process's own, with a migrated database of each library to copy."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.templates: dict[str, str] = {}

    def settings(self) -> dict[str, str]:
        """The server's version, and what the durability of its commits depends on."""
        with psycopg.connect(self.server.base_url) as connection:
            version = connection.info.parameter_status("server_version") or ""
            found = {name: connection.execute(f"SHOW {name}").fetchone() for name in DURABILITY}
            return {"PostgreSQL": version} | {name: row[0] for name, row in found.items() if row}

    @contextmanager
    def database(self, contender: str) -> Iterator[str]:
        """A new database with the tables of that contender; raw has ours."""
        owner = OURS if contender == RAW else contender
        with self.server.fresh_database(self.templates[owner]) as url:
            yield url

    def measure(self, row: Row, contender: str) -> float:
        """Run one contender once; gives its figure, of several samples their median."""
        with self.database(contender) as url:
            figure = run_program(*command(row, contender, url))
        return statistics.median(figure) if isinstance(figure, list) else float(figure)

    def contest(self, row: Row, rounds: int, *, alone: bool = False) -> Result:
        """Let all contenders take turns; every other round in the opposite order.

        With `alone` dbos takes no part.
        """
        contenders = [OURS, *([] if alone else [THEIRS]), *([RAW] if row.raw else [])]
        result = Result(row, {contender: [] for contender in contenders})
        for number in range(rounds):
            for contender in contenders if number % 2 else reversed(contenders):
                result.runs[contender].append(self.measure(row, contender))
        return result


def command(row: Row, contender: str, url: str) -> tuple[str, ...]:
    """The module of a run, and its arguments."""
    if contender == RAW:
        return "raw", url, *row.raw
    given = row.theirs if contender == THEIRS and row.theirs else row.arguments
    return row.program, contender, url, *given


def run_program(program: str, *arguments: str) -> Any:
    """Run a program to its end; gives what its last line says."""
    with tempfile.TemporaryDirectory(prefix="dboshub-bench-") as data:
        done = subprocess.run(
            [sys.executable, "-m", f"bench.engine.programs.{program}", *arguments],
            cwd=ROOT,
            env={**os.environ, "DBOSHUB_DATA_DIR": data},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    if done.returncode or not done.stdout:
        raise BenchmarkError(f"{program} {' '.join(arguments)}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def arena() -> Iterator[Arena]:
    """Start the server and let each library make its tables once."""
    opened = Arena(durable_server())
    with ExitStack() as templates:
        for library in (OURS, THEIRS):
            url = templates.enter_context(opened.server.fresh_database())
            run_program("tables", library, url)
            opened.templates[library] = url.rpartition("/")[2]
        yield opened
