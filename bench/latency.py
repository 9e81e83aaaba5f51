"""From enqueue to start on an idle queue, enqueued by another process of ours."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

from bench.steps import ROOT, BenchmarkError, fresh_database
from tests.support.postgres import Server, durable_server

PROMISES_MS = {"PostgreSQL": 20, "SQLite": 60}


def measure(database: str, samples: int, server: Server) -> list[float]:
    """Give the milliseconds each of the workflows waited."""
    with (
        fresh_database(database, server) as url,
        tempfile.TemporaryDirectory(prefix="dboshub-bench-") as data,
    ):
        program = [sys.executable, "-m", "bench.queue_program"]
        environment = {**os.environ, "DBOSHUB_DATA_DIR": data}
        worker = subprocess.Popen(
            [*program, "worker", url],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert worker.stdout
            if worker.stdout.readline() != "ready\n":
                raise BenchmarkError(f"The worker on {database} did not start")
            done = subprocess.run(
                [*program, "enqueuer", url, "--samples", str(samples)],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
                timeout=60 + samples,
                check=True,
            )
            waits: list[float] = json.loads(done.stdout.splitlines()[-1])
            return waits
        finally:
            worker.communicate(timeout=30)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=100)
    options = parser.parse_args()

    server = durable_server()
    print("\nEnqueue to start on an idle queue, in milliseconds, from another process\n")
    print(f"{'database':<12}{'median':>10}{'95 %':>10}{'promise':>10}")
    kept = True
    for database, promise in PROMISES_MS.items():
        waits = measure(database, options.samples, server)
        median = statistics.median(waits)
        late = statistics.quantiles(waits, n=20)[-1]
        kept &= median < promise
        verdict = "" if median < promise else "  MISSED"
        print(f"{database:<12}{median:>10.1f}{late:>10.1f}{promise:>10}{verdict}", flush=True)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
