"""A worker of the demo without its pace: does what it is told, one line of JSON at a time.

A line is [story, arguments, workflow id or null]; the answer is [status, result or error].
"""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from typing import Any

import django

django.setup()

from dboshub import DBOS, SetWorkflowID
from dboshub.demo import carrier, checkout, items, pipeline, publisher
from dboshub.runtime.worker_setup import configuration

STORIES: dict[str, Any] = {
    "checkout": checkout.checkout,
    "pay": checkout.pay,
    "process_items": items.process_items,
    "measure_summits": pipeline.measure_summits,
    "track_parcel": carrier.track_parcel,
    "publish_gazette": publisher.publish_gazette,
}


def answer(line: str) -> list[Any]:
    story, arguments, workflow_id = json.loads(line)
    if story == "start":
        with SetWorkflowID(workflow_id):
            DBOS.start_workflow(STORIES[arguments[0]], *arguments[1:])
        return ["STARTED", workflow_id]
    if story == "result":
        return ["SUCCESS", DBOS.retrieve_workflow(workflow_id).get_result()]
    if story == "stream":
        return ["SUCCESS", list(DBOS.read_stream(workflow_id, arguments[0]))]
    if story == "event":
        return ["SUCCESS", DBOS.get_event(workflow_id, arguments[0])]
    if story == "send":
        DBOS.send(workflow_id, *arguments)
        return ["SENT", None]
    try:
        with SetWorkflowID(workflow_id) if workflow_id else nullcontext():
            return ["SUCCESS", STORIES[story](*arguments)]
    except Exception as error:
        return ["ERROR", type(error).__name__]


def tell(values: list[Any]) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def main() -> None:
    DBOS(config={**configuration(), "run_migrations": True})
    DBOS.launch()
    tell(["READY", None])
    for line in sys.stdin:
        tell(answer(line))
    DBOS.destroy()


if __name__ == "__main__":
    main()
