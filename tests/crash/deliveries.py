"""What the killed workers run: five steps each, every execution of a step noted in a file."""

from __future__ import annotations

import os
import time
from pathlib import Path

from dboshub import DBOS, Queue

queue = Queue("deliveries", worker_concurrency=20)
LOG = Path(os.environ["CRASH_LOG"])


def note(step: str) -> None:
    line = f"{DBOS.workflow_id} {DBOS.step_id} {step} {os.getpid()} {time.time():.6f}\n"
    with LOG.open("a") as log:
        log.write(line)


@DBOS.step()
def pick(number: int) -> int:
    note("pick")
    return number


@DBOS.step()
def pack(number: int) -> int:
    note("pack")
    time.sleep(0.02)
    return number * 2


@DBOS.step()
async def weigh(number: int) -> int:
    note("weigh")
    return number * 3


@DBOS.step()
def stamp(number: int) -> int:
    note("stamp")
    return number + 1


@DBOS.workflow(name="deliveries.label")
def label(number: int) -> int:
    return stamp(number)


@DBOS.workflow(name="deliveries.deliver")
def deliver(number: int) -> int:
    picked = pick(number)
    DBOS.set_event("picked", picked)
    packed = pack(picked)
    DBOS.sleep(0.1)
    return label(packed) + stamp(packed)


@DBOS.workflow(name="deliveries.weigh_all")
async def weigh_all(number: int) -> int:
    first = await weigh(number)
    await DBOS.sleep_async(0.1)
    return first + await weigh(number)
