"""Runs the lines: in databases filled to a scale, or in a new one for each run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg

from bench.engine.contest import OURS, Arena, run_program
from bench.filling import fill
from bench.growth.lines import TABLES, Line
from bench.growth.verdict import Growth

# What a killed program left would be recovered, or claimed, by the next one.
PUT_AWAY = """
    UPDATE dbos.workflow_status
    SET status = 'CANCELLED', owner_xid = NULL
    WHERE status IN ('PENDING', 'ENQUEUED', 'DELAYED') AND created_at >= %s
"""


class Field:
    """The databases of all runs; those of `tables` are filled, each to its scale."""

    def __init__(self, arena: Arena, tables: dict[int, str]) -> None:
        self.arena, self.tables = arena, tables

    @contextmanager
    def database(self, line: Line, scale: int) -> Iterator[str]:
        """A database for one run: a filled one, or a new one."""
        if line.family != TABLES:
            with self.arena.database(OURS) as url:
                yield url
            return
        begun, url = int(time.time() * 1_000), self.tables[scale]
        yield url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(PUT_AWAY, [begun])

    def measure(self, line: Line, most: int, rounds: int) -> Growth:
        """Run a line at its scales up to `most` in turn."""
        growth = Growth(line, {scale: [] for scale in line.scales if scale <= most})
        for _ in range(rounds):
            for scale, runs in growth.runs.items():
                with self.database(line, scale) as url:
                    figure = run_program(line.program, OURS, url, *line.command(scale))
                runs.append(statistics.median(figure if isinstance(figure, list) else [figure]))
        return growth


@contextmanager
def field(arena: Arena, lines: list[Line], most: int) -> Iterator[Field]:
    """Fill a database for each scale of the lines that need one."""
    scales = {scale for line in lines for scale in line.scales if line.family == TABLES}
    with ExitStack() as databases:
        tables = {}
        for scale in sorted(scale for scale in scales if scale <= most):
            tables[scale] = url = databases.enter_context(arena.database(OURS))
            fill(url, scale, steps_each=1)
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("CHECKPOINT")
        yield Field(arena, tables)
