"""How many workflows may sleep in one worker, what they cost, and how late they wake up.

One `runworkers` process on a PostgreSQL server of its own that flushes every commit. Some sleepers
the engine suspends itself, for the rate; the multitude are copies of their rows.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bench.engine.machine import facts
from bench.recording import as_json, record
from bench.sleeping.measure import measure
from tests.support.postgres import durable_server

NAME = "sleepers"
MAX_MIB, MAX_LATE_MS = 300, 2_000


def shown(found: dict[str, Any]) -> str:
    """The figures as a table for people."""
    rows = [f"| {name} | {_text(value)} |" for name, value in found.items()]
    return "\n".join(["| | |", "|---|---|", *rows]) + "\n"


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sleepers", type=float, default=1e6)
    parser.add_argument("--rate", type=float, default=1e3, help="wake-ups in a second")
    parser.add_argument("--seconds", type=float, default=60, help="how long they wake up")
    parser.add_argument("--real", type=float, default=4e3, help="that the engine suspends itself")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--record", action="store_true", help="write docs/performance.md")
    given = parser.parse_args()
    scale = {name: int(getattr(given, name)) for name in ("sleepers", "rate", "seconds", "real")}
    with durable_server().fresh_database() as url:
        found = facts() | measure(url, **scale)
    print(shown(found))
    if given.json:
        given.json.write_text(as_json(found))
    if given.record:
        record(NAME, found, shown(found))
    most_mib = max(found["asleep MiB"], found["waking MiB"])
    if most_mib > MAX_MIB or found["late ms, p99"] > MAX_LATE_MS or found["lost"]:
        raise SystemExit("It does not hold what it promises.")


if __name__ == "__main__":
    main()
