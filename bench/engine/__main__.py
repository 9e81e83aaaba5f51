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
from typing import Any

from bench import recording
from bench.engine import machine, report
from bench.engine.contest import BenchmarkError, arena
from bench.engine.rows import FLOOR, ROWS


def main() -> int:
    options = parsed()
    found, is_whole = measured(options)
    if options.json:
        options.json.write_text(recording.as_json(found))
    if options.record and is_whole:
        recording.record("engine", found, report.document(found))
    missed = [row["name"] for row in found["rows"] if row["verdict"] == report.MISSED]
    if options.check and missed:
        print(f"\nBelow {FLOOR:.0%} of the goal: {', '.join(missed)}")
    return 0 if is_whole and not (options.check and missed) else 1


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="", help="a pattern: only rows whose name has it")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each contender")
    parser.add_argument("--alone", action="store_true", help="without dbos: quicker, no ratio")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--record", action="store_true", help="keep them, and show them in docs")
    parser.add_argument("--check", action="store_true", help=f"fail below {FLOOR:.0%}% of a goal")
    options = parser.parse_args()
    if options.record and options.rows:
        parser.error("--record is for all rows")
    if options.alone and (options.record or options.check):
        parser.error("--record and --check need dbos")
    return options


def measured(options: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    """The figures of the chosen rows, printed as they come; and whether no program failed."""
    rows, is_whole, named = [], True, machine.facts()
    with arena() as opened:
        named |= opened.settings()
        print(report.facts(named), "", *report.head(), sep="\n", flush=True)
        for row in ROWS:
            if not re.search(options.rows, row.name, re.IGNORECASE):
                continue
            try:
                result = opened.contest(row, options.rounds, alone=options.alone)
            except BenchmarkError as error:
                is_whole = False
                print(f"{row.name}: {error}", file=sys.stderr, flush=True)
            else:
                rows.append(report.figures(result))
                print(report.line(rows[-1]), flush=True)
    return {"facts": named, "rounds": options.rounds, "rows": rows}, is_whole


if __name__ == "__main__":
    sys.exit(main())
