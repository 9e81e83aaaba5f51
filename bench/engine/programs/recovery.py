"""Seconds in which a process completes the 500 workflows that one killed by -9 left behind.

Each workflow has recorded two steps. The time begins with the call of `DBOS.launch()`.
"""

from __future__ import annotations

import argparse
import threading
import time
from typing import Any

import psycopg

from bench.engine.programs.common import (
    configured,
    parser,
    second_process,
    tell,
    until_end_of_input,
)

COUNT, POLL_S, LIMIT_S = 500, 0.01, 60
ENDED = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'"
RECORDED = "SELECT count(*) FROM dbos.operation_outputs"


def wait_for(url: str, statement: str, count: int) -> None:
    ends = time.monotonic() + LIMIT_S
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(statement).fetchone() != (count,):
            if time.monotonic() > ends:
                raise TimeoutError(f"Not {count} after {LIMIT_S} s: {statement}")
            time.sleep(POLL_S)


def registered(library: Any, *, blocks: bool) -> Any:
    @library.DBOS.step()
    def step(number: int) -> int:
        return number

    @library.DBOS.workflow()
    def two_steps() -> None:
        step(1)
        step(2)
        if blocks:
            threading.Event().wait()

    return two_steps


def leave_behind(options: argparse.Namespace) -> None:
    """Be the process that is killed: start all workflows, which then wait for ever."""
    library = configured(options)
    workflow = registered(library, blocks=True)
    library.DBOS.launch()
    for _ in range(COUNT):
        library.DBOS.start_workflow(workflow)
    wait_for(options.url, RECORDED, 2 * COUNT)
    until_end_of_input()


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--victim", action="store_true")
    options = arguments.parse_args()
    if options.victim:
        leave_behind(options)
    victim = second_process(__spec__.name, options.library, options.url, "--victim")
    victim.kill()
    victim.wait()
    library = configured(options)
    registered(library, blocks=False)
    begun = time.perf_counter()
    library.DBOS.launch()
    wait_for(options.url, ENDED, COUNT)
    tell(time.perf_counter() - begun)


if __name__ == "__main__":
    main()
