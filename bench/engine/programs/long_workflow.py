"""A workflow of so many steps: how fast the last are recorded, and all of them replayed.

The steps are recorded a hundred at once, but the last, one by one. Then the process is killed, and
another one replays them. Both figures are steps per second.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable
from typing import Any

import psycopg

from bench.engine.programs.common import (
    configured,
    parser,
    second_process,
    tell,
    until_end_of_input,
)

LAST, AT_ONCE, POLL_S = 500, 100, 0.01
ENDED = "SELECT 1 FROM dbos.workflow_status WHERE workflow_uuid = %s AND status = 'SUCCESS'"


def registered(library: Any, count: int, told: Callable[[float], Any] | None) -> Any:
    """Register the workflow; `told` gets the rate of its last steps, and never returns."""

    @library.DBOS.step()
    async def step(number: int) -> int:
        return number

    @library.DBOS.workflow(name="long")
    async def long() -> None:
        for first in range(0, count - LAST, AT_ONCE):
            await asyncio.gather(*[step(first + number) for number in range(AT_ONCE)])
        begun = time.perf_counter()
        for number in range(LAST):
            await step(number)
        if told is not None:
            await asyncio.to_thread(told, LAST / (time.perf_counter() - begun))

    return long


def record(options: argparse.Namespace) -> None:
    """Be the process that is killed."""

    library = configured(options)
    workflow = registered(library, options.count, until_end_of_input)
    library.DBOS.launch()
    with library.SetWorkflowID(options.record):
        asyncio.run(workflow())


def replayed(options: argparse.Namespace, workflow_id: str) -> float:
    library = configured(options)
    registered(library, options.count, None)
    begun = time.perf_counter()
    library.DBOS.launch()
    with psycopg.connect(options.url, autocommit=True) as connection:
        while connection.execute(ENDED, [workflow_id]).fetchone() is None:
            time.sleep(POLL_S)
    return options.count / (time.perf_counter() - begun)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("what", choices=["recorded", "replayed"])
    arguments.add_argument("--count", type=int, default=1_000)
    arguments.add_argument("--record", help="record the steps of a workflow of this id")
    options = arguments.parse_args()
    if options.record:
        record(options)
    workflow_id = f"long-{time.time()}"
    rest = [options.what, "--count", str(options.count), "--record", workflow_id]
    victim = second_process(__spec__.name, options.library, options.url, *rest)
    assert victim.stdout
    rate = float(victim.stdout.readline())
    victim.kill()
    victim.wait()
    tell(rate if options.what == "recorded" else replayed(options, workflow_id))


if __name__ == "__main__":
    main()
