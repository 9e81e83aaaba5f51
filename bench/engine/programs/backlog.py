"""Workflows per second that some worker processes run while so many wait in their queue.

All workers are ready before the first of them claims.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any

import psycopg

from bench.engine.programs.common import (
    configured,
    parser,
    second_process,
    tell,
)

QUEUE = "backlog"
WAITING = "SELECT count(*) FROM dbos.workflow_status WHERE queue_name = %s AND status = 'ENQUEUED'"
ENQUEUE = """
    WITH created AS (
        INSERT INTO dbos.workflow_status
            (workflow_uuid, status, name, queue_name, created_at, updated_at, priority,
             serialization)
        SELECT gen_random_uuid(), 'ENQUEUED', 'nothing', %(queue)s, %(now)s + n, %(now)s, 0,
            'portable_json'
        FROM generate_series(1, %(count)s) AS n
        RETURNING workflow_uuid
    )
    INSERT INTO dbos.workflow_input (workflow_uuid, inputs, retention_timestamp)
    SELECT workflow_uuid, '{"positionalArgs": [], "namedArgs": {}}', %(now)s FROM created
"""
ENDED = """
    SELECT count(*), max(completed_at) - min(completed_at)
    FROM dbos.workflow_status
    WHERE completed_at BETWEEN %s AND %s AND queue_name = %s AND status = 'SUCCESS'
"""


def work(options: argparse.Namespace) -> None:
    library = configured(options)

    @library.DBOS.workflow(name="nothing")
    def nothing() -> None:
        pass

    library.DBOS.launch()
    print("ready", flush=True)
    sys.stdin.readline()
    library.DBOS.register_queue(QUEUE)
    sys.stdin.read()
    os._exit(0)


def top_up(connection: psycopg.Connection[Any], count: int) -> None:
    """Enqueue what is missing, as if over the last moments, and let the planner know of it."""
    row = connection.execute(WAITING, [QUEUE]).fetchone()
    missing = count - (row[0] if row else 0)
    now = int(time.time() * 1_000) - count
    connection.execute(ENQUEUE, {"queue": QUEUE, "now": now, "count": missing})
    connection.execute("VACUUM (ANALYZE) dbos.workflow_status")


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--waiting", type=int, default=10_000)
    arguments.add_argument("--workers", type=int, default=1)
    arguments.add_argument("--worker", action="store_true")
    options = arguments.parse_args()
    if options.worker:
        work(options)
    with psycopg.connect(options.url, autocommit=True) as connection:
        top_up(connection, options.waiting)
        mine = __spec__.name, options.library, options.url, "--worker"
        workers = [second_process(*mine) for _ in range(options.workers)]
        begun = int(time.time() * 1_000)
        for worker in workers:
            print("claim", file=worker.stdin, flush=True)
        time.sleep(options.seconds)
        window = [begun, begun + int(options.seconds * 1_000), QUEUE]
        count, milliseconds = connection.execute(ENDED, window).fetchone() or (0, 0)
    tell(count / milliseconds * 1_000)


if __name__ == "__main__":
    main()
