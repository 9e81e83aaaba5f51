"""A data pipeline: one child workflow for each line of a file, progress on a stream, a report."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from dboshub import DBOS
from dboshub.demo.ledger import file_of, ledger

SUMMITS = Path(__file__).parent / "data" / "summits.csv"
FEET_PER_METRE = 3.28084


@DBOS.step()
def read_lines(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@DBOS.step()
def convert(line: dict[str, str]) -> int:
    return round(int(line["metres"]) * FEET_PER_METRE)


@DBOS.step()
def store(name: str, feet: int) -> None:
    with ledger() as db:
        db.execute("INSERT OR REPLACE INTO summit VALUES (?, ?)", [name, feet])


@DBOS.step()
def write_report(workflow_id: str, heights: dict[str, int]) -> str:
    """Write the heights, highest first; returns where."""
    path = file_of("summits", workflow_id, "json")
    ordered = dict(sorted(heights.items(), key=lambda entry: -entry[1]))
    path.write_text(json.dumps(ordered, indent=2), encoding="utf-8")
    return str(path)


@DBOS.workflow()
def measure(line: dict[str, str]) -> int:
    """Handle one line of the file."""
    feet = convert(line)
    DBOS.sleep(0.5)
    store(line["name"], feet)
    return feet


@DBOS.workflow()
def measure_summits(path: str = str(SUMMITS)) -> str:
    """Measure every summit of a file in child workflows; follow it on the stream "progress"."""
    lines = read_lines(path)
    handles = [DBOS.start_workflow(measure, line) for line in lines]
    heights: dict[str, int] = {}
    for line, handle in zip(lines, handles, strict=True):
        heights[line["name"]] = handle.get_result()
        done = {"done": len(heights), "of": len(lines), "last": line["name"]}
        DBOS.write_stream("progress", done)
    DBOS.close_stream("progress")
    return write_report(str(DBOS.workflow_id), heights)
