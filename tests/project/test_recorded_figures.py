"""What `docs/performance.md` shows between the marks is what the commands recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bench import page_report, recording
from bench.budget import __main__ as budget
from bench.engine import report as engine
from bench.growth import report as growth
from bench.sleeping import __main__ as sleeping

DOCUMENTS: dict[str, Callable[[dict[str, Any]], str]] = {
    "budget": budget.shown,
    "engine": engine.document,
    "growth": growth.document,
    "pages-1000000": page_report.document,
    "pages-10000000": page_report.document,
    "sleepers": sleeping.shown,
}


def shown(name: str) -> str:
    begin, end = recording.marks(name)
    _, rest = recording.DOCUMENT.read_text().split(begin)
    return rest.split(end)[0].strip()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_document_shows_the_recorded_figures(name: str) -> None:
    recorded = recording.path(name)
    if recorded.exists():
        assert shown(name) == DOCUMENTS[name](json.loads(recorded.read_text())).strip()
    else:
        assert "measured " not in shown(name), "figures without a record"


def test_nothing_is_recorded_that_no_document_shows() -> None:
    assert {path.stem for path in recording.RESULTS.glob("*.json")} <= set(DOCUMENTS)
