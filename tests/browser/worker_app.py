"""What the worker of the browser tests runs: an order that waits for its payment."""

from __future__ import annotations

from dboshub import DBOS


@DBOS.step()
def prepare(number: int) -> int:
    return number


@DBOS.workflow(name="browser.order")
def order(number: int) -> str:
    prepare(number)
    DBOS.set_event("order_status", "waiting")
    return f"{DBOS.recv('payment', 300)} {number}"
