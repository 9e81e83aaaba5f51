"""The load: a program of its own that starts, enqueues and sends until standard input says stop.

What a call promised goes to the ledger once the call has returned. A call that raises promised
nothing; it is made again with the same id until it returns.

`python -m tests.chaos.load RATE`, in requests a second: a line on standard input ends the requests,
its end ends the process.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import django

from dboshub import DBOS, DBOSClient, DBOSConfig, SetEnqueueOptions, SetWorkflowID
from dboshub.runtime.worker_setup import configuration
from tests.chaos import program
from tests.chaos.names import APIECE, KEYED, NARROW, PLAIN, RATED
from tests.chaos.program import ledger

THREADS = 4
PARTITIONS = 3
PAUSE_S = 0.1


@dataclass(frozen=True)
class Way:
    """One way to begin a workflow: at once in this process, or on a queue."""

    workflow: Callable[..., Any]
    queue: str | None = None
    by_client: bool = False


# Of each 17 requests one goes to RATED: a rate of 30 a second stays below its limit.
WAYS = (
    Way(program.steps),
    Way(program.steps, NARROW.name),
    Way(program.family),
    Way(program.steps, PLAIN.name, by_client=True),
    Way(program.announcing, PLAIN.name),
    Way(program.looped),
    Way(program.steps, KEYED.name),
    Way(program.booking, PLAIN.name),
    Way(program.listening),
    Way(program.steps, RATED.name),
    Way(program.looped, NARROW.name, by_client=True),
    Way(program.listening, PLAIN.name),
    Way(program.napping, PLAIN.name, by_client=True),
    Way(program.selling, PLAIN.name),
    Way(program.failing, PLAIN.name),
    Way(program.looped, APIECE.name),
    Way(program.napping),
)


def begin(way: Way, number: int, workflow_id: str, client: DBOSClient) -> None:
    partition = str(number % PARTITIONS) if way.queue == KEYED.name else None
    priority = 1 + number % 3
    if way.queue is None:
        with SetWorkflowID(workflow_id):
            DBOS.start_workflow(way.workflow, number)
    elif way.by_client:
        client.enqueue(
            {
                "workflow_name": way.workflow.__qualname__,
                "queue_name": way.queue,
                "workflow_id": workflow_id,
                "priority": priority,
            },
            number,
        )
    else:
        with (
            SetWorkflowID(workflow_id),
            SetEnqueueOptions(priority=priority, queue_partition_key=partition),
        ):
            DBOS.enqueue_workflow(way.queue, way.workflow, number)


def request(number: int, client: DBOSClient) -> None:
    way = WAYS[number % len(WAYS)]
    name = way.workflow.__name__
    workflow_id = f"{name}-{way.queue or 'here'}-{number}"
    ledger.write("asked", workflow=workflow_id, number=number)
    insist(lambda: begin(way, number, workflow_id, client))
    ledger.write("acknowledged", workflow=workflow_id, number=number)
    if name == program.listening.__name__:
        insist(lambda: DBOS.send(workflow_id, number, "chaos", idempotency_key=workflow_id))
    ledger.write("answered", number=number)


def requests() -> Iterator[int]:
    """The numbers of requests: first those that an earlier load asked for without an answer."""
    asked = {fact["number"] for fact in ledger.facts("asked")}
    answered = {fact["number"] for fact in ledger.facts("answered")}
    return itertools.chain(sorted(asked - answered), itertools.count(max(asked, default=-1) + 1))


def insist(call: Callable[[], object]) -> None:
    while True:
        try:
            call()
            return
        except Exception as error:
            ledger.write("refused", error=repr(error))
            time.sleep(PAUSE_S)


def request_all(
    config: DBOSConfig, numbers: Iterator[int], rate: float, stop: threading.Event
) -> None:
    """Make one request at least: each thread of an earlier load left one at most."""
    client = DBOSClient(
        system_database_url=config["system_database_url"],
        application_name=config["name"],
        behind_pooler=config["behind_pooler"],
    )
    try:
        request(next(numbers), client)
        while not stop.wait(1 / rate):
            request(next(numbers), client)
    finally:
        client.destroy()


def main(rate: float) -> None:
    django.setup()
    config = configuration()
    DBOS(config=config)
    DBOS.listen_queues([])
    DBOS.launch()
    program.register_queues()
    stop, numbers = threading.Event(), requests()
    of_each = (config, numbers, rate / THREADS, stop)
    threads = [threading.Thread(target=request_all, args=of_each) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    sys.stdin.readline()
    stop.set()
    for thread in threads:
        thread.join()
    ledger.write("asked for all")
    sys.stdin.read()
    DBOS.destroy(grace_period_sec=2)


if __name__ == "__main__":
    main(float(sys.argv[1]))
