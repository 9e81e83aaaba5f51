"""First paint of the list in a real Chromium, from the start of the navigation."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

from bench.long_run import goes, opened, served

LIST, VISITS, LIMIT_MS = "/workflows/", 20, 300.0


def first_paint(url: str) -> dict[str, Any]:
    """Milliseconds of some visits after one that warms up, served as people run it."""
    with (
        tempfile.TemporaryDirectory() as data,
        served(url, Path(data)) as hub,
        opened(hub) as page,
    ):
        goes(page, LIST)
        assert page.locator("tbody tr").count(), "this is not the list"
        took = [goes(page, LIST) for _ in range(VISITS)]
    return {
        "page": "list, first paint in Chromium",
        "limit_ms": LIMIT_MS,
        "status": 200,
        "best": min(took),
        "median": statistics.median(took),
        "p95": sorted(took)[round(len(took) * 0.95) - 1],
    }
