"""Workflows of somebody who has just installed the package."""

from __future__ import annotations

import os
import time
from pathlib import Path

from dboshub import DBOS, Queue

queue = Queue("q")
LOG, GO = Path("steps.log"), Path("go")


@DBOS.step()
def charge(order: str) -> int:
    note("charge")
    return len(order)


@DBOS.step()
def ship(order: str) -> str:
    note("ship")
    while not GO.exists():
        time.sleep(0.02)
    return f"{order} shipped"


@DBOS.step()
def fail(order: str) -> None:
    raise ValueError(f"no such order: {order}")


@DBOS.workflow(name="checkout")
def checkout(order: str) -> str:
    DBOS.set_event("progress", charge(order))
    DBOS.write_stream("log", f"charged {order}")
    shipped = ship(order)
    note("end")
    return shipped


@DBOS.workflow(name="refuse")
def refuse(order: str) -> None:
    charge(order)
    fail(order)


def note(step: str) -> None:
    with LOG.open("a") as log:
        log.write(f"{DBOS.workflow_id} {step} {os.getpid()}\n")
