"""Where the time goes from an enqueue to the start of the body, on an idle queue (PostgreSQL).

A client enqueues one workflow at a time, after a pause; a worker in a process of its own runs it.
Both note when they pass the places of the table. The server flushes every commit.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

import psycopg

from bench.budget.notes import Notes
from bench.budget.worker import PLACES
from bench.engine.contest import OURS, arena
from bench.engine.machine import facts
from bench.engine.programs.common import QUEUE, pause, second_process
from bench.recording import as_json, record
from dboshub import DBOSClient
from dboshub.workflows.storage.waiting.notifier import PostgresNotifier

NAME = "budget"
CALLED = "the client is called"
INSERTING = "its insert is sent"
DURABLE = "the row is durable, and the answer here"
NOTIFYING = "its thread for notices sends one"
ALL = (CALLED, INSERTING, DURABLE, NOTIFYING, *PLACES)


def measured(url: str, samples: int) -> list[dict[str, float]]:
    """For each workflow the milliseconds from the call to each place."""
    notes = Notes()
    notes.around(psycopg.Cursor, "execute", INSERTING, DURABLE, of=b"workflow_input")
    notes.around(PostgresNotifier, "send", NOTIFYING)
    worker = second_process("bench.budget.worker", OURS, url)
    client = DBOSClient(system_database_url=url)
    noted = []
    for _ in range(samples):
        notes.note(CALLED)
        handle = client.enqueue({"workflow_name": "budgeted", "queue_name": QUEUE})
        pause()
        noted.append((notes.taken(), handle))
    times = [here | handle.get_result() for here, handle in noted[1:]]  # the first one warms up
    client.destroy()
    worker.kill()
    return [
        {place: (each[place] - each[CALLED]) * 1_000 for place in ALL}
        for each in times
        if each.keys() >= {*ALL}  # a short pause ends before the notice is sent
    ]


def shown(found: dict[str, Any]) -> str:
    """The medians as a table for people."""
    lines = [" · ".join(f"{key} {value}" for key, value in found["facts"].items()), ""]
    lines += ["| ms, p50 | since the line before | |", "|--:|--:|---|"]
    before = 0.0
    for place, at in found["places"].items():
        lines.append(f"| {at:.2f} | {at - before:.2f} | {place} |")
        before = at
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=40)
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--record", action="store_true", help="keep them, and show them in docs")
    options = parser.parse_args()
    with arena() as opened, opened.database(OURS) as url:
        named = facts() | opened.settings()
        times = measured(url, options.samples)
    places = {place: statistics.median(each[place] for each in times) for place in ALL}
    found = {"facts": named, "places": places, "times": times}
    print(shown(found))
    if options.json:
        options.json.write_text(as_json(found))
    if options.record:
        record(NAME, found, shown(found))


if __name__ == "__main__":
    main()
