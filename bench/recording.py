"""Figures that the documents show: kept as JSON in `bench/results`, printed between two marks.

So a figure in a document is always one that a command has printed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS, DOCUMENT = ROOT / "bench" / "results", ROOT / "docs" / "performance.md"


def record(name: str, found: dict[str, Any], text: str) -> None:
    """Keep the figures, and replace what the document shows of them.

    Raises ValueError if the document does not have the marks.
    """
    RESULTS.mkdir(exist_ok=True)
    path(name).write_text(as_json(found))
    begin, end = marks(name)
    before, rest = DOCUMENT.read_text().split(begin)
    _, after = rest.split(end)
    DOCUMENT.write_text(f"{before}{begin}\n\n{text}\n{end}{after}")


def as_json(found: dict[str, Any]) -> str:
    return json.dumps(found, indent=1) + "\n"


def path(name: str) -> Path:
    """The file of recorded figures."""
    return RESULTS / f"{name}.json"


def marks(name: str) -> tuple[str, str]:
    """The lines of the document between which the command writes."""
    return f"<!-- {name}: written by the command -->", f"<!-- end of {name} -->"
