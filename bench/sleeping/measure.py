"""What a worker needs while many sleep, how late they wake up, and whether one is lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg

from bench.sleeping.multitude import Connection, multiply, span, wake_evenly
from bench.sleeping.worker import VERSION, Worker
from dboshub import DBOSClient

DAY_S = 86_400.0
AHEAD_MS = 5_000  # until the first of them is due
KILLED_S = 5  # seconds' worth of wake-ups in the midst of which the worker is killed
LATE = """
    SELECT percentile_disc(ARRAY[0.5, 0.99, 1.0]) WITHIN GROUP (
        ORDER BY step.started_at_epoch_ms - slept.completed_at_epoch_ms
    )
    FROM dbos.operation_outputs AS slept
    JOIN dbos.operation_outputs AS step USING (workflow_uuid)
    WHERE slept.workflow_uuid >= %s COLLATE "C" AND slept.workflow_uuid < %s COLLATE "C"
        AND slept.function_id = 1 AND step.function_id = 2
"""
STATUSES = "SELECT status, count(*) FROM dbos.workflow_status GROUP BY status"
ENDED = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'"
READY = "SELECT count(*) FROM dbos.dboshub_executor"
SUSPENDED = """
    SELECT count(*), max(updated_at) - min(created_at)
    FROM dbos.workflow_status
    WHERE status = 'DELAYED' AND started_at_epoch_ms IS NOT NULL
"""


def measure(url: str, *, sleepers: int, rate: int, seconds: int, real: int) -> dict[str, Any]:
    """All figures, in the order in which they are taken."""
    worker = Worker(url)
    with psycopg.connect(url, autocommit=True) as connection:
        until(lambda: _count(connection, READY))
        found = {"empty MiB": worker.mib(), **_suspend(url, connection, real)}
        models = [f"real-{number}" for number in range(2)]
        for prefix, number in (
            ("day", sleepers),
            ("due", rate * seconds),
            ("killed", rate * KILLED_S),
        ):
            multiply(connection, models, prefix, number)
        connection.execute("ANALYZE")
        found |= _hold(worker)
        found |= _wake(connection, worker, rate, seconds)
        found |= _kill(url, connection, worker, rate)
        expected = real + sleepers + rate * (seconds + KILLED_S)
        statuses = dict(connection.execute(STATUSES).fetchall())
        found["lost"] = expected - statuses.get("SUCCESS", 0) - statuses.get("DELAYED", 0)
    return {"sleepers": sleepers, **found}


def _suspend(url: str, connection: Connection, real: int) -> dict[str, Any]:
    """Enqueue sleepers, half of them async, and let the worker suspend each of them."""
    client = DBOSClient(system_database_url=url)
    for number in range(real):
        client.enqueue(
            {
                "queue_name": "naps",
                "workflow_name": "nap" if number % 2 else "async_nap",
                "workflow_id": f"real-{number}",
                "app_version": VERSION,
            },
            DAY_S,
        )
    client.destroy()
    until(lambda: _count(connection, SUSPENDED) == real)
    _, took_ms = connection.execute(SUSPENDED).fetchone() or (0, 1)
    return {"suspended": real, "enqueued and suspended per s": real * 1000 / took_ms}


def _hold(worker: Worker) -> dict[str, Any]:
    """What the worker needs while all of them sleep."""
    used, seconds = worker.cpu_s(), 10
    time.sleep(seconds)
    return {"asleep MiB": worker.mib(), "asleep cores": (worker.cpu_s() - used) / seconds}


def _wake(connection: Connection, worker: Worker, rate: int, seconds: int) -> dict[str, Any]:
    """Wake so many a second for so long; how late the step after the sleep begins."""
    most, used = 0.0, worker.cpu_s()
    first_ms = int(time.time() * 1000) + AHEAD_MS
    wake_evenly(connection, "due", first_ms=first_ms, rate=rate)

    def is_done() -> bool:
        nonlocal most
        most = max(most, worker.mib())
        return _count(connection, ENDED) == rate * seconds

    until(is_done, seconds * 4 + 60)
    late = (connection.execute(LATE, span("due")).fetchone() or ([0, 0, 0],))[0]
    return {
        "woken": rate * seconds,
        "woken per s": rate,
        "late ms, p50": late[0],
        "late ms, p99": late[1],
        "late ms, most": late[2],
        "waking MiB": most,
        "waking cores": (worker.cpu_s() - used) / seconds,
    }


def _kill(url: str, connection: Connection, worker: Worker, rate: int) -> dict[str, Any]:
    """Kill the worker while it wakes them; another one goes on with all of them."""
    ended = _count(connection, ENDED)
    wake_evenly(connection, "killed", first_ms=int(time.time() * 1000) + AHEAD_MS, rate=rate)
    until(lambda: _count(connection, ENDED) > ended + rate)
    worker.kill()
    begun = time.monotonic()
    another = Worker(url)
    until(lambda: _count(connection, ENDED) == ended + rate * KILLED_S)
    another.stop()
    return {"killed while waking": rate * KILLED_S, "all awake after s": time.monotonic() - begun}


def until(condition: Callable[[], Any], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("it does not come about")
        time.sleep(0.2)


def _count(connection: Connection, statement: str) -> int:
    row = connection.execute(statement.encode()).fetchone()
    return int(row[0]) if row else 0
