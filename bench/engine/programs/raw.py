"""What the server can do at most: the same rows written by plain psycopg, without a library.

One connection, autocommit, prepared statements, on the tables of DBOS with all their indexes. A
size above 1 is that of a group: so many rows in one statement and one commit.
"""

from __future__ import annotations

import argparse
import time
import uuid
from collections.abc import Callable
from typing import Any

import psycopg

from bench.engine.programs.common import repeat, tell

Connection = psycopg.Connection[Any]
CLAIM, DRAINED, WAKES, GAP_S = 100, 2_000, 100, 0.01

FENCE = """
    SELECT workflow_uuid
    FROM dbos.workflow_status
    WHERE workflow_uuid = ANY(%(ids)s) AND owner_xid = 'raw'
    ORDER BY workflow_uuid
    FOR NO KEY UPDATE
"""
# Each workflow gets the step of the same number: one of each is what a group consists of.
STEPS = f"""
    WITH fence AS MATERIALIZED ({FENCE})
    INSERT INTO dbos.operation_outputs
        (workflow_uuid, function_id, function_name, output, started_at_epoch_ms,
         completed_at_epoch_ms)
    SELECT workflow_uuid, %(number)s, 'step', '1', %(now)s, %(now)s FROM fence
"""
STARTS = """
    WITH created AS (
        INSERT INTO dbos.workflow_status
            (workflow_uuid, status, name, queue_name, owner_xid, created_at, updated_at, priority)
        SELECT id, %(status)s, 'nothing', %(queue)s, 'raw', %(now)s, %(now)s, 0
        FROM unnest(%(ids)s::text[]) AS id
        RETURNING workflow_uuid
    )
    INSERT INTO dbos.workflow_input (workflow_uuid, inputs, retention_timestamp)
    SELECT workflow_uuid, '{}', %(now)s FROM created
"""
OUTCOMES = f"""
    WITH fence AS MATERIALIZED ({FENCE}),
    ended AS (
        UPDATE dbos.workflow_status AS s
        SET status = 'SUCCESS', owner_xid = NULL, updated_at = %(now)s, completed_at = %(now)s
        FROM fence
        WHERE s.workflow_uuid = fence.workflow_uuid
        RETURNING s.workflow_uuid
    )
    INSERT INTO dbos.workflow_output (workflow_uuid, output, retention_timestamp)
    SELECT workflow_uuid, 'null', %(now)s FROM ended
"""
CLAIMED = """
    UPDATE dbos.workflow_status AS s
    SET status = 'PENDING', started_at_epoch_ms = %(now)s
    FROM (
        SELECT workflow_uuid
        FROM dbos.workflow_status
        WHERE queue_name = 'raw' AND status = 'ENQUEUED'
        ORDER BY priority, created_at
        LIMIT %(most)s
        FOR UPDATE SKIP LOCKED
    ) AS chosen
    WHERE s.workflow_uuid = chosen.workflow_uuid
    RETURNING s.workflow_uuid
"""
MESSAGES = """
    INSERT INTO dbos.notifications (destination_uuid, topic, message)
    SELECT %(destination)s, '__null__topic__', '1' FROM generate_series(1, %(size)s)
"""


class Raw:
    """The statements on one connection."""

    def __init__(self, url: str, size: int) -> None:
        self.connection: Connection = psycopg.connect(url, autocommit=True, prepare_threshold=1)
        self.url, self.size, self.number = url, size, 0
        self.ids: list[str] = []

    def run(self, statement: str, **given: Any) -> psycopg.Cursor[Any]:
        given |= {"ids": self.ids, "now": int(time.time() * 1_000), "size": self.size}
        return self.connection.execute(statement, given)

    def start(self, status: str = "PENDING", queue: str | None = None) -> None:
        self.ids = [str(uuid.uuid4()) for _ in range(self.size)]
        self.run(STARTS, status=status, queue=queue)

    def end(self) -> None:
        self.run(OUTCOMES)

    def step(self) -> None:
        self.number += 1
        self.run(STEPS, number=self.number)

    def message(self) -> None:
        self.run(MESSAGES, destination=self.ids[0])

    def start_and_end(self) -> None:
        self.start()
        self.end()

    def enqueue(self) -> None:
        self.start("ENQUEUED", "raw")

    def drained_per_second(self) -> float:
        """Claim groups, and end each with one statement, until the queue is empty."""
        self.size = DRAINED
        self.enqueue()
        begun = time.perf_counter()
        while self.ids:
            self.ids = [row[0] for row in self.run(CLAIMED, most=CLAIM)]
            self.end()
        return DRAINED / (time.perf_counter() - begun)

    def woken_after(self) -> list[float]:
        """Milliseconds from NOTIFY on this connection to its arrival on another."""
        with psycopg.connect(self.url, autocommit=True) as listener:
            listener.execute("LISTEN raw")
            waits = []
            for _ in range(WAKES):
                time.sleep(GAP_S)
                begun = time.perf_counter()
                self.connection.execute("NOTIFY raw")
                next(listener.notifies(stop_after=1))
                waits.append((time.perf_counter() - begun) * 1_000)
        return waits


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("url")
    arguments.add_argument(
        "what", choices=["step", "start-and-end", "enqueue", "start", "message", "drain", "wake"]
    )
    arguments.add_argument("--size", type=int, default=1)
    arguments.add_argument("--seconds", type=float, default=1.0)
    options = arguments.parse_args()

    raw = Raw(options.url, options.size)
    if options.what == "drain":
        tell(raw.drained_per_second())
    if options.what == "wake":
        tell(raw.woken_after())
    raw.start()
    calls: dict[str, Callable[[], None]] = {
        "step": raw.step,
        "start-and-end": raw.start_and_end,
        "start": raw.start,
        "enqueue": raw.enqueue,
        "message": raw.message,
    }
    tell(repeat(calls[options.what], options.seconds, count=options.size))


if __name__ == "__main__":
    main()
