"""How every kind of work grows: with what the tables hold, what waits, and how large things are.

Each line is one program of `make bench` or beside it, run at several scales. A line is "kept" if
an item costs at no scale more than the scale's logarithm allows, measured from the smallest one.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from bench import recording
from bench.engine import machine
from bench.engine.contest import arena
from bench.growth import chart, report
from bench.growth.lines import lines
from bench.growth.measure import field

CHART = recording.ROOT / "docs" / "img" / "growth.svg"


def scale(text: str) -> int:
    return int(float(text))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rows", default="", help="a pattern: only lines whose family or name has it"
    )
    parser.add_argument("--most", type=scale, default=10_000_000, help="no scale above this")
    parser.add_argument("--rounds", type=int, default=3, help="runs at each scale")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--chart", type=Path, help="a file for the chart, SVG")
    parser.add_argument("--record", action="store_true", help="keep all, and show them in docs")
    options = parser.parse_args()
    if options.record and options.rows:
        parser.error("--record is for all lines")

    pattern = re.compile(options.rows, re.IGNORECASE)
    chosen = [line for line in lines() if pattern.search(f"{line.family}: {line.name}")]
    named, rows = machine.facts(), list[dict[str, Any]]()

    with arena() as opened, field(opened, chosen, options.most) as measured:
        named |= opened.settings()
        print(report.facts(named))
        for line in chosen:
            row = report.figures(measured.measure(line, options.most, options.rounds))
            if not rows or rows[-1]["family"] != row["family"]:
                print("", *report.head(row), sep="\n")
            rows.append(row)
            print(report.line(row), flush=True)
    found = {"facts": named, "rounds": options.rounds, "chart": CHART.name, "rows": rows}
    if options.json:
        options.json.write_text(recording.as_json(found))
    if options.chart:
        options.chart.write_text(chart.drawn(rows))
    if options.record:
        CHART.write_text(chart.drawn(rows))
        recording.record("growth", found, report.document(found))
    return 0 if all(row["verdict"] == "kept" for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
