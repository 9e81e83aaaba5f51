"""What the killed workers run: every kind of long wait, and steps that note each execution."""

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
    DBOS.sleep(0.3)
    return stamp(number)


@DBOS.workflow(name="deliveries.courier")
def courier(delivery: str) -> None:
    DBOS.sleep(0.2)
    DBOS.set_event("on its way", True)
    DBOS.sleep(0.2)
    DBOS.send(delivery, "signed", "receipts")


@DBOS.workflow(name="deliveries.deliver")
def deliver(number: int) -> int:
    picked = pick(number)
    sent = DBOS.start_workflow(courier, DBOS.workflow_id)
    packed = pack(picked)
    labelled = DBOS.start_workflow(label, packed)
    assert DBOS.get_event(sent.workflow_id, "on its way", 60)
    assert DBOS.recv("receipts", 60) == "signed"
    return labelled.get_result() + stamp(packed)


@DBOS.workflow(name="deliveries.weigh_all", suspend=True)
async def weigh_all(number: int) -> int:
    first = await weigh(number)
    sent = await DBOS.start_workflow_async(courier, DBOS.workflow_id)
    assert await DBOS.get_event_async(sent.workflow_id, "on its way", 60)
    assert await DBOS.recv_async("receipts", 60) == "signed"
    await sent.get_result()
    return first + await weigh(number)
