"""The figures as a table for people, which is Markdown, and as JSON for machines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bench.engine.contest import OURS, RAW, THEIRS, Result
from bench.engine.rows import FLOOR

HEAD = ("work", "here", "dbos", "ratio", "raw limit", "goal", "")
WIDTHS = (43, 26, 26, 6, 28, 7, 7)
REACHED, NEAR, MISSED, UNKNOWN = "reached", f"≥ {FLOOR:.0%}", "below", "-"


def figures(result: Result) -> dict[str, Any]:
    """One row of the JSON: every run, and what follows from them."""
    return {
        "name": result.row.name,
        "unit": result.row.unit,
        "goal": str(result.row.goal),
        "verdict": _verdict(result),
        "ratio": result.ratio,
        "median": {name: result.median(name) for name in result.runs},
        "runs": result.runs,
    }


def _verdict(result: Result) -> str:
    if result.row.goal.ratio and not result.ratio:
        return UNKNOWN
    if result.reached():
        return REACHED
    return NEAR if result.reached(FLOOR) else MISSED


def lines(rows: Iterable[dict[str, Any]]) -> list[str]:
    """The whole table."""
    return [*head(), *map(line, rows)]


def head() -> list[str]:
    rules = ["-" * (width - 1) + (":" if 0 < at < 5 else "-") for at, width in enumerate(WIDTHS)]
    return [_joined(HEAD), "|" + "|".join(f" {rule} " for rule in rules) + "|"]


def line(row: dict[str, Any]) -> str:
    """One row: medians, and from which to which the runs went."""
    ratio = f"{row['ratio']:.1f}" if row["ratio"] else "-"
    cells = [_spread(row, name) for name in (OURS, THEIRS, RAW)]
    name = f"{row['name']}, {per_second(row['unit'])}"
    return _joined((name, *cells[:2], ratio, cells[2], row["goal"], row["verdict"]))


def facts(named: dict[str, str]) -> str:
    return "; ".join(f"{name} {value}" for name, value in named.items())


def document(found: dict[str, Any]) -> str:
    """The table and what it was measured on, for `docs/performance.md`."""
    spread = f"medians of {found['rounds']} runs (least to most)"
    return "\n".join([*lines(found["rows"]), "", f"{facts(found['facts'])}; {spread}.", ""])


def _spread(row: dict[str, Any], contender: str) -> str:
    runs = row["runs"].get(contender)
    if not runs:
        return "-"
    median, least, most = (
        number(each) for each in (row["median"][contender], min(runs), max(runs))
    )
    return f"{median} ({least} to {most})"


def per_second(unit: str) -> str:
    return unit.replace("/s", " per s").strip()


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _joined(cells: tuple[str, ...]) -> str:
    padded = (
        f"{cell:>{width}}" if 0 < at < 5 else f"{cell:<{width}}"
        for at, (cell, width) in enumerate(zip(cells, WIDTHS, strict=True))
    )
    return "|" + "|".join(f" {cell} " for cell in padded) + "|"
