"""Workflows per second of a queue of 2,000 no-ops: a client fills it, then a worker drains it.

The time is from the first start to the last end, as the library's own rows have them.
"""

from __future__ import annotations

import argparse
import time

import psycopg

from bench.engine.programs.common import QUEUE, client, configured, parser, tell

COUNT, POLL_S, LIMIT_S = 2_000, 0.05, 120
DRAINED = """
    SELECT max(completed_at) - min(started_at_epoch_ms)
    FROM dbos.workflow_status
    WHERE created_at >= %s AND queue_name = %s
    HAVING count(*) FILTER (WHERE status = 'SUCCESS') = %s
"""


def fill(options: argparse.Namespace) -> None:
    opened = client(options)
    for _ in range(COUNT):
        opened.enqueue({"queue_name": QUEUE, "workflow_name": "nothing"})
    opened.destroy()


def drained(url: str, since: int) -> float:
    """Wait until all that were enqueued since then have ended; gives the milliseconds it took."""
    ends = time.monotonic() + LIMIT_S
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < ends:
            time.sleep(POLL_S)
            row = connection.execute(DRAINED, [since, QUEUE, COUNT]).fetchone()
            if row is not None:
                return float(row[0])
    raise TimeoutError(f"The queue was not empty after {LIMIT_S} s")


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--worker-concurrency", type=int)
    options = arguments.parse_args()

    since = int(time.time() * 1_000)
    fill(options)
    library = configured(options)

    @library.DBOS.workflow(name="nothing")
    def nothing() -> None:
        pass

    library.DBOS.launch()
    library.DBOS.register_queue(QUEUE, worker_concurrency=options.worker_concurrency)
    tell(COUNT / drained(options.url, since) * 1_000)


if __name__ == "__main__":
    main()
