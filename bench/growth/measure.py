"""Runs the lines: in databases filled to a scale, or in a new one for each run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable

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


def once(line: Line, scale: int, url: str) -> float:
    figure = run_program(line.program, OURS, url, *line.command(scale))
    return statistics.median(figure) if isinstance(figure, list) else float(figure)


def in_filled_tables(arena: Arena, lines: Iterable[Line], scale: int, rounds: int) -> list[Growth]:
    """Fill a database once; run all lines in it, round by round."""
    found = [Growth(line, {scale: []}) for line in lines]
    with arena.database(OURS) as url, psycopg.connect(url, autocommit=True) as connection:
        fill(url, scale, steps_each=1)
        connection.execute("CHECKPOINT")
        for _ in range(rounds):
            for growth in found:
                begun = int(time.time() * 1_000)
                growth.runs[scale].append(once(growth.line, scale, url))
                connection.execute(PUT_AWAY, [begun])
    return found


def by_itself(arena: Arena, line: Line, scales: Iterable[int], rounds: int) -> Growth:
    """Run a line at all its scales in turn, each time in a new database."""
    growth = Growth(line, {scale: [] for scale in scales})
    for _ in range(rounds):
        for scale, runs in growth.runs.items():
            with arena.database(OURS) as url:
                runs.append(once(line, scale, url))
    return growth


def measured(
    arena: Arena, lines: list[Line], most: int, rounds: int, told: Callable[[Growth], None]
) -> list[Growth]:
    """All lines at their scales up to `most`; tells of each when it is complete."""
    filled = [line for line in lines if line.family == TABLES]
    merged = {line: Growth(line) for line in filled}
    for scale in sorted({scale for line in filled for scale in line.scales if scale <= most}):
        for part in in_filled_tables(arena, filled, scale, rounds):
            merged[part.line].runs |= part.runs
    found = [*merged.values()]
    for growth in found:
        told(growth)
    for line in lines:
        if line.family != TABLES:
            scales = [scale for scale in line.scales if scale <= most]
            found.append(by_itself(arena, line, scales, rounds))
            told(found[-1])
    return found
