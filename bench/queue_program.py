"""Either side of an idle queue: `worker` runs what `enqueuer`, another process, puts in line.

The enqueuer prints one JSON line: how many milliseconds each workflow waited for its start.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time

from dboshub import DBOS, Queue

WARM_UP = 5
queue = Queue("bench-latency")


@DBOS.workflow()
def note_start() -> float:
    """Give the moment the body began; both processes read the clock of one machine."""
    return time.time()


def work() -> None:
    """Run until the other end of standard input is closed."""
    print("ready", flush=True)
    sys.stdin.read()
    DBOS.destroy()


def enqueue(samples: int) -> None:
    waits = []
    for _ in range(WARM_UP + samples):
        # Long enough for the worker to be idle, uneven so as not to meet a poll's rhythm.
        time.sleep(random.uniform(0.05, 0.15))
        before = time.time()
        started = queue.enqueue(note_start).get_result()
        waits.append((started - before) * 1000)
    print(json.dumps(waits[WARM_UP:]), flush=True)
    DBOS.destroy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=["worker", "enqueuer"])
    parser.add_argument("url")
    parser.add_argument("--samples", type=int, default=100)
    options = parser.parse_args()

    DBOS(
        config={
            "name": "bench",
            "system_database_url": options.url,
            "log_level": "ERROR",
            "application_version": "1",
            "executor_id": options.role,
        }
    )
    if options.role == "enqueuer":
        DBOS.listen_queues([])
    DBOS.launch()
    if options.role == "worker":
        work()
    else:
        enqueue(options.samples)


if __name__ == "__main__":
    main()
