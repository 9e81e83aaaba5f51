"""The table of the pages, and how figures get into the documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import page_report, recording

QUICK: dict[str, Any] = {
    "page": "home",
    "limit_ms": 100.0,
    "status": 200,
    "best": 70.0,
    "median": 100.0,
    "p95": 140.0,
    "statements": 15,
    "dearest": 8.0,
    "KiB": 80.0,
}


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, ""),
        ({"median": 100.1}, "LATE"),
        ({"p95": 900.0}, ""),
        ({"status": 500}, "answered 500"),
    ],
)
def test_a_page_is_judged_by_its_median(changed: dict[str, Any], verdict: str) -> None:
    line = page_report.line(QUICK | changed)
    assert line.partition("80")[2].strip() == verdict


def test_the_document_has_both_databases_side_by_side() -> None:
    late = QUICK | {"median": 130.0}
    found: dict[str, Any] = {
        "facts": {"machine": "2 cores"},
        "rows": 1_000_000,
        "steps_each": 10,
        "databases": {"PostgreSQL": [QUICK], "SQLite": [late]},
    }
    painted = {name: figure for name, figure in QUICK.items() if name != "statements"}
    found["databases"]["PostgreSQL"].append(painted)
    found["databases"]["SQLite"].append(painted)
    lines = page_report.document(found).splitlines()
    assert lines[2] == "| home | 70 | 100 | 140 | 15 | 70 | **130** | 140 | 15 |"
    assert lines[3] == "| home | 70 | 100 | 140 | - | 70 | 100 | 140 | - |"


@pytest.fixture
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(recording, "RESULTS", tmp_path)
    monkeypatch.setattr(recording, "DOCUMENT", tmp_path / "performance.md")
    return recording.DOCUMENT


def test_recording_replaces_what_is_between_the_marks(document: Path) -> None:
    begin, end = recording.marks("pages")
    document.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    for _ in range(2):
        recording.record("pages", {"rows": 1}, "new\n")
        assert document.read_text() == f"before\n{begin}\n\nnew\n\n{end}\nafter\n"
    assert recording.path("pages").read_text() == '{\n "rows": 1\n}\n'


def test_recording_refuses_a_document_without_the_marks(document: Path) -> None:
    document.write_text("before\n")
    with pytest.raises(ValueError, match="unpack"):
        recording.record("pages", {}, "new")
    assert document.read_text() == "before\n"
