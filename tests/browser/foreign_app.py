"""A program of the real dbos library: starts one workflow, and lets it end when told to."""

from __future__ import annotations

import sys
import threading

from dbos import DBOS, SetWorkflowID

told = threading.Event()


@DBOS.step()
def wait_for_the_word() -> str:
    told.wait(60)
    return "word"


@DBOS.workflow()
def foreign_order() -> str:
    return wait_for_the_word()


def main(url: str) -> None:
    DBOS(config={"name": "foreign", "system_database_url": url})
    DBOS.launch()
    with SetWorkflowID("foreign/1"):
        handle = DBOS.start_workflow(foreign_order)
    sys.stdout.write("STARTED\n")
    sys.stdout.flush()
    sys.stdin.readline()
    told.set()
    handle.get_result()
    sys.stdout.write("ENDED\n")
    sys.stdout.flush()
    sys.stdin.readline()
    DBOS.destroy()


main(sys.argv[1])
