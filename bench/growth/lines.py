"""What grows: for each line of the table the program, its scales, and what is counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.engine.rows import ROWS

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
class Line:
    """One kind of work, measured at several scales of one thing."""

    family: str
    name: str
    unit: str
    scales: tuple[int, ...]
    program: str
    arguments: tuple[str, ...] = ()
    # The argument that gets the scale; without one the tables are filled to it.
    scaled: str = ""

    @property
    def more_is_better(self) -> bool:
        return self.unit.endswith("/s")

    def command(self, scale: int) -> tuple[str, ...]:
        return (*self.arguments, *((self.scaled, str(scale)) if self.scaled else ()))


def lines() -> Iterator[Line]:
    """All lines, those of one family after each other."""
    for row in ROWS:
        name, _, _ = row.name.partition(" (")
        yield Line(TABLES, name, row.unit, TABLE_SCALES, row.program, row.arguments)
    for count in WORKERS:
        name = f"drain, {count} worker{'s' if count > 1 else ''}"
        rest = ("--workers", str(count), "--seconds", "3")
        yield Line(WAITING, name, "/s", WAITING_SCALES, "backlog", rest, "--waiting")
    family = "steps of one workflow"
    yield Line(family, "last steps", "/s", STEP_SCALES, "long_workflow", ("recorded",), "--count")
    yield Line(family, "replay", "/s", STEP_SCALES, "long_workflow", ("replayed",), "--count")
    family = "children of one parent"
    yield Line(family, "children to all results", "/s", CHILD_SCALES, "children", (), "--count")
    family = "bytes of one value"
    for what, name in (("steps", "results of steps"), ("workflows", "arguments and results")):
        rest = (what, "--seconds", VALUE_SECONDS)
        yield Line(family, name, "MB/s", BYTE_SCALES, "values", rest, "--size")
