"""How every kind of work grows: with what the tables hold, what waits, and how large things are.

Each line is one program of `make bench` or beside it, run at several scales. A line is "kept" if
an item never costs more than the logarithm allows, measured from any smaller scale.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench import recording
from bench.engine import machine
from bench.engine.contest import BenchmarkError, arena
from bench.growth import chart, report
from bench.growth.lines import Line, lines
from bench.growth.measure import Field

CHART = recording.ROOT / "docs" / "img" / "growth.svg"


def scale(text: str) -> int:
    return int(float(text))


def main() -> int:
    options = parsed()
    found, is_whole = measured(options)
    if options.json:
        options.json.write_text(recording.as_json(found))
    if options.chart:
        options.chart.write_text(chart.drawn(found["rows"]))
    if options.record and is_whole:
        CHART.write_text(chart.drawn(found["rows"]))
        recording.record("growth", found, report.document(found))
    return 0 if is_whole and all(row["verdict"] == "kept" for row in found["rows"]) else 1


def parsed() -> argparse.Namespace:
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
    return options


def chosen(options: argparse.Namespace) -> Iterator[Line]:
    for line in lines():
        name = f"{line.family}: {line.name}"
        if line.scales[0] <= options.most and re.search(options.rows, name, re.IGNORECASE):
            yield line


def measured(options: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    """The figures of the chosen lines, printed as they come; and whether no program failed."""
    rows, is_whole, named = [], True, machine.facts()
    with arena() as opened, ExitStack() as kept_open:
        field = Field(opened, kept_open)
        named |= opened.settings()
        print(report.facts(named), flush=True)
        for line in chosen(options):
            try:
                growth = field.measure(line, options.most, options.rounds)
            except BenchmarkError as error:
                is_whole = False
                print(f"{line.name}: {error}", file=sys.stderr, flush=True)
                continue
            row = report.figures(growth)
            if not rows or rows[-1]["family"] != row["family"]:
                print("", *report.head(row), sep="\n")
            rows.append(row)
            print(report.line(row), flush=True)
    found = {"facts": named, "rounds": options.rounds, "chart": CHART.name, "rows": rows}
    return found, is_whole


if __name__ == "__main__":
    sys.exit(main())
