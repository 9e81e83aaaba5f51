"""The growth table: Markdown for people, JSON for machines."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from bench.engine.report import facts, number, per_second
from bench.growth.verdict import Growth

WIDTHS = 44, 12, 10


def figures(growth: Growth) -> dict[str, Any]:
    """One line of the JSON: every run, and what follows from them."""
    return {
        "family": growth.line.family,
        "name": growth.line.name,
        "unit": growth.line.unit,
        "runs": {str(scale): runs for scale, runs in growth.runs.items()},
        "median": {str(scale): median for scale, median in growth.medians().items()},
        "cost": {str(scale): cost for scale, cost in growth.costs().items()},
        "verdict": "kept" if growth.is_logarithmic() else "worse",
    }


def head(row: dict[str, Any]) -> list[str]:
    """The head of a family's table; the scales are those of its first line."""
    scales = [f"{int(scale):,}" for scale in row["median"]]
    rules = ["-" * WIDTHS[0], *["-" * (WIDTHS[1] - 1) + ":"] * len(scales), "-" * WIDTHS[2]]
    return [_joined([row["family"], *scales, ""]), _joined(rules)]


def line(row: dict[str, Any]) -> str:
    medians = [number(median) for median in row["median"].values()]
    return _joined([f"{row['name']}, {per_second(row['unit'])}", *medians, row["verdict"]])


def document(found: dict[str, Any]) -> str:
    """All tables, the chart, and what they were measured on, for `docs/performance.md`."""
    parts = []
    for _, rows in groupby(found["rows"], key=lambda row: row["family"]):
        family = list(rows)
        parts += [*head(family[0]), *map(line, family), ""]
    spread = f"medians of {found['rounds']} runs"
    chart = f"![Each cost against its scale](img/{found['chart']})"
    return "\n".join([*parts, chart, "", f"{facts(found['facts'])}; {spread}.", ""])


def _joined(cells: list[str]) -> str:
    padded = [f"{cells[0]:<{WIDTHS[0]}}"]
    padded += [f"{cell:>{WIDTHS[1]}}" for cell in cells[1:-1]]
    return "| " + " | ".join([*padded, f"{cells[-1]:<{WIDTHS[2]}}"]) + " |"
