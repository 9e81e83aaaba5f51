"""What the worker of the test of incidents runs: charges that fail until the bank is open."""

from __future__ import annotations

import os
from pathlib import Path

from dboshub import DBOS, WorkflowHandle


@DBOS.step(name="incident.charge")
def charge(number: int) -> int:
    if not Path(os.environ["OPEN_BANK"]).exists():
        raise TimeoutError(f"the bank does not answer order {number}")
    return number


@DBOS.workflow(name="incident.checkout")
def checkout(number: int) -> int:
    return charge(number)


@DBOS.workflow(name="incident.batch")
def batch(count: int) -> None:
    """Start so many, and end whatever becomes of them."""
    started: list[WorkflowHandle[int]] = [DBOS.start_workflow(checkout, n) for n in range(count)]
    for each in started:
        try:
            each.get_result()
        except TimeoutError:
            pass
