"""What grows: for each line of the table the program, its scales, and what is counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.engine.rows import ROWS, Work

TABLES, WAITING = "workflows in the tables", "workflows waiting in one queue"
# The families whose databases take long to make.
KEPT = (TABLES, WAITING)
TABLE_SCALES = (10_000, 1_000_000, 10_000_000)
WAITING_SCALES = (10_000, 100_000, 1_000_000)
STEP_SCALES = (1_000, 10_000, 100_000)
CHILD_SCALES = (100, 1_000, 10_000)
BYTE_SCALES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
WORKERS = (1, 2, 4)
VALUE_SECONDS = "5"


@dataclass(frozen=True)
class Line(Work):
    """One kind of work, measured at several scales of one thing."""

    family: str
    scales: tuple[int, ...]
    # The argument that gets the scale; without one the tables are filled to it.
    scaled: str = ""

    def command(self, scale: int) -> tuple[str, ...]:
        return (*self.arguments, *((self.scaled, str(scale)) if self.scaled else ()))


def lines() -> Iterator[Line]:
    """All lines, those of one family after each other."""
    for row in ROWS:
        name, _, _ = row.name.partition(" (")
        yield Line(name, row.unit, row.program, row.arguments, TABLES, TABLE_SCALES)
    for count in WORKERS:
        name = f"drain, {count} worker{'s' if count > 1 else ''}"
        rest = ("--workers", str(count), "--seconds", "3")
        yield Line(name, "/s", "backlog", rest, WAITING, WAITING_SCALES, "--waiting")
    family = "steps of one workflow"
    for name, what in (("last steps", "recorded"), ("replay", "replayed")):
        yield Line(name, "/s", "long_workflow", (what,), family, STEP_SCALES, "--count")
    family = "children of one parent"
    yield Line("children to all results", "/s", "children", (), family, CHILD_SCALES, "--count")
    family = "bytes of one value"
    for what, name in (("steps", "results of steps"), ("workflows", "arguments and results")):
        rest = (what, "--seconds", VALUE_SECONDS)
        yield Line(name, "MB/s", "values", rest, family, BYTE_SCALES, "--size")
