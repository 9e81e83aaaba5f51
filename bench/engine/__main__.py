"""Every kind of work beside the dbos library: same programs, same minutes, same durable PostgreSQL.

The contenders of a row take turns, each run in a process of its own on a database of its own; the
table has the median of the rounds, and the least and the most. The raw limit is what plain psycopg
writes of the same rows on one connection, one statement after the other; for many callers, with
one statement for a row of each. A row of dbos may say how its users do without the call.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from bench import recording
from bench.engine import machine, report
from bench.engine.contest import BenchmarkError, arena
from bench.engine.rows import FLOOR, ROWS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="", help="a pattern: only rows whose name has it")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each contender")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--record", action="store_true", help="keep them, and show them in docs")
    parser.add_argument("--check", action="store_true", help=f"fail below {FLOOR:.0%} of a goal")
    options = parser.parse_args()

    chosen = [row for row in ROWS if re.search(options.rows, row.name, re.IGNORECASE)]
    if options.record and options.rows:
        parser.error("--record is for all rows")
    named, rows, failed = machine.facts(), [], False
    with arena() as opened:
        server = opened.settings()
        print(f"{report.facts(named | server)}\n")
        print(*report.head(), sep="\n", flush=True)
        for row in chosen:
            try:
                rows.append(report.figures(opened.contest(row, options.rounds)))
                print(report.line(rows[-1]), flush=True)
            except BenchmarkError as error:
                failed = True
                print(f"{row.name}: {error}", file=sys.stderr, flush=True)
    found = {"facts": named | server, "rounds": options.rounds, "rows": rows}
    if options.json:
        options.json.write_text(recording.as_json(found))
    if options.record and not failed:
        recording.record("engine", found, report.document(found))
    missed = [row["name"] for row in rows if row["verdict"] == report.MISSED]
    if options.check and missed:
        print(f"\nBelow {FLOOR:.0%} of the goal: {', '.join(missed)}")
    return 1 if failed or (options.check and missed) else 0


if __name__ == "__main__":
    sys.exit(main())
