"""Enqueues per second: by a client, or in the worker's process, which runs them meanwhile."""

from __future__ import annotations

import argparse
from functools import partial

from bench.engine.programs.common import QUEUE, client, configured, parser, repeat, tell


def by_client(options: argparse.Namespace) -> float:
    """One caller of a `DBOSClient`; no worker runs."""
    opened = client(options)
    wanted = {"queue_name": QUEUE, "workflow_name": "nothing"}
    return repeat(lambda: opened.enqueue(wanted), options.seconds)


def by_worker(options: argparse.Namespace) -> float:
    """So many threads of the process that claims and runs what they enqueue."""
    library = configured(options)

    @library.DBOS.workflow()
    def nothing() -> None:
        pass

    library.DBOS.launch()
    library.DBOS.register_queue(QUEUE)
    call = partial(library.DBOS.enqueue_workflow, QUEUE, nothing)
    return repeat(call, options.seconds, options.threads)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("where", choices=["client", "worker"])
    arguments.add_argument("--threads", type=int, default=1)
    options = arguments.parse_args()
    tell(by_client(options) if options.where == "client" else by_worker(options))


if __name__ == "__main__":
    main()
