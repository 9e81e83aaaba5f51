"""Milliseconds from enqueue to start on an idle queue, enqueued by a client's process."""

from __future__ import annotations

import argparse
import time

from bench.engine.programs.common import (
    QUEUE,
    WARM_UP_SAMPLES,
    client,
    configured,
    parser,
    pause,
    second_process,
    tell,
    until_end_of_input,
)


def work(options: argparse.Namespace) -> None:
    library = configured(options)

    @library.DBOS.workflow(name="waited")
    def waited(enqueued: float) -> float:
        """Both processes read the clock of one machine."""
        return time.time() - enqueued

    library.DBOS.launch()
    library.DBOS.register_queue(QUEUE)
    until_end_of_input()


def enqueue(options: argparse.Namespace) -> list[float]:
    """Give the milliseconds that each workflow waited for its start."""
    opened = client(options)
    handles = []
    for _ in range(WARM_UP_SAMPLES + options.samples):
        pause()
        wanted = {"queue_name": QUEUE, "workflow_name": "waited"}
        handles.append(opened.enqueue(wanted, time.time()))
    return [handle.get_result() * 1_000 for handle in handles[WARM_UP_SAMPLES:]]


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--samples", type=int, default=8)
    arguments.add_argument("--worker", action="store_true")
    options = arguments.parse_args()
    if options.worker:
        work(options)
    second_process(__spec__.name, options.library, options.url, "--worker")
    tell(enqueue(options))


if __name__ == "__main__":
    main()
