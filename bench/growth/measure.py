"""Runs the lines: in databases filled to a scale, or in a new one for each run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg

from bench.engine.contest import OURS, Arena, run_program
from bench.filling import fill
from bench.growth.lines import KEPT, TABLES, Line
from bench.growth.verdict import Growth

# What a killed program left would be recovered, or claimed, by the next one.
PUT_AWAY = """
    UPDATE dbos.workflow_status
    SET status = 'CANCELLED', owner_xid = NULL
    WHERE status IN ('PENDING', 'ENQUEUED', 'DELAYED') AND created_at >= %s
"""


class Field:
    """The databases of all runs. Those that are large are made once, and kept to the end."""

    def __init__(self, arena: Arena, kept_open: ExitStack) -> None:
        self.arena, self.kept_open = arena, kept_open
        self.kept: dict[tuple[str, int], str] = {}

    def measure(self, line: Line, most: int, rounds: int) -> Growth:
        """Run a line at its scales up to `most` in turn."""
        growth = Growth(line, {scale: [] for scale in line.scales if scale <= most})
        for _ in range(rounds):
            for scale, runs in growth.runs.items():
                with self._database(line, scale) as url:
                    figure = run_program(line.program, OURS, url, *line.command(scale))
                runs.append(statistics.median(figure if isinstance(figure, list) else [figure]))
        return growth

    @contextmanager
    def _database(self, line: Line, scale: int) -> Iterator[str]:
        """A database for one run: a kept one, or a new one."""
        if line.family not in KEPT:
            with self.arena.database(OURS) as url:
                yield url
            return
        url, begun = self._kept(line.family, scale), int(time.time() * 1_000)
        yield url
        if line.family == TABLES:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(PUT_AWAY, [begun])

    def _kept(self, family: str, scale: int) -> str:
        key = family, scale
        if key not in self.kept:
            self.kept[key] = url = self.kept_open.enter_context(self.arena.database(OURS))
            if family == TABLES:
                fill(url, scale, steps_each=1)
                with psycopg.connect(url, autocommit=True) as connection:
                    connection.execute("CHECKPOINT")
        return self.kept[key]
