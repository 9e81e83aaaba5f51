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
ENDED = """
    SELECT count(*)
    FROM dbos.workflow_status
    WHERE created_at >= %s AND status = 'SUCCESS' AND name = 'two_steps'
"""


def wait_for_all(url: str, since: int) -> None:
    """Wait until all that were started since then have ended."""
    ends = time.monotonic() + LIMIT_S
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(ENDED, [since]).fetchone() != (COUNT,):
            if time.monotonic() > ends:
                raise TimeoutError(f"Not all have ended after {LIMIT_S} s")
            time.sleep(POLL_S)


def registered(library: Any, ready: threading.Semaphore | None = None) -> Any:
    """Register the workflow; with a semaphore it tells that its steps are recorded, and waits."""

    @library.DBOS.step()
    def step(number: int) -> int:
        return number

    @library.DBOS.workflow(name="two_steps")
    def two_steps() -> None:
        step(1)
        step(2)
        if ready is not None:
            ready.release()
            threading.Event().wait()

    return two_steps


def leave_behind(options: argparse.Namespace) -> None:
    """Be the process that is killed: start all workflows, which then wait for ever."""
    library = configured(options)
    ready = threading.Semaphore(0)
    workflow = registered(library, ready)
    library.DBOS.launch()
    for _ in range(COUNT):
        library.DBOS.start_workflow(workflow)
    for _ in range(COUNT):
        ready.acquire()
    until_end_of_input()


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--victim", action="store_true")
    options = arguments.parse_args()
    if options.victim:
        leave_behind(options)
    since = int(time.time() * 1_000)
    victim = second_process(__spec__.name, options.library, options.url, "--victim")
    victim.kill()
    victim.wait()
    library = configured(options)
    registered(library)
    begun = time.perf_counter()
    library.DBOS.launch()
    wait_for_all(options.url, since)
    tell(time.perf_counter() - begun)


if __name__ == "__main__":
    main()
