"""A program of the real dbos library: leaves a row of nearly every kind in a database."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

from dbos import DBOS, SetEnqueueOptions, SetWorkflowID

DBOS(config={"name": "shop", "system_database_url": sys.argv[1]})


@DBOS.step()
def price(item: str) -> dict[str, Any]:
    return {"item": item, "cents": 1250}


@DBOS.step()
def refuse(item: str) -> None:
    raise ValueError(f"no {item} left")


@DBOS.workflow()
def pack(item: str) -> str:
    return item


@DBOS.workflow()
def order(item: str) -> str:
    found = price(item)
    DBOS.set_event("progress", "priced")
    DBOS.write_stream("log", found)
    pack(item)
    paid: str = DBOS.recv("paid", timeout_seconds=5)
    return paid


@DBOS.workflow()
def fail(item: str) -> None:
    refuse(item)


@DBOS.workflow()
def report(scheduled: datetime, context: Any) -> None:
    pass


DBOS.launch()
DBOS.register_queue("orders", worker_concurrency=2)
DBOS.register_queue("nobody", concurrency=1)
DBOS.create_schedule(schedule_name="nightly", workflow_fn=report, schedule="0 3 * * *")
with SetWorkflowID("o-1"):
    run = DBOS.start_workflow(order, "tea")
DBOS.send("o-1", "yes", topic="paid")
assert run.get_result() == "yes"
with SetWorkflowID("f/1"):
    failed = DBOS.start_workflow(fail, "cup")
try:
    failed.get_result()
except ValueError:
    pass
with SetWorkflowID("later"), SetEnqueueOptions(delay_seconds=86_400):
    DBOS.enqueue_workflow("nobody", order, "pot")
DBOS.destroy()
