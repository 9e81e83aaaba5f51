"""Sizes that keep every file readable in one sitting. Raise a number in a reviewed commit only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("dboshub", "workflows", "queues", "schedules")
ADVICE = "split by use case, see docs/decisions/0007-budgets.md"

# What a file is -> its longest size in lines. The first pattern that matches counts.
BUDGETS = {
    **{f"{app}/migrations/*.py": 500 for app in APPS},
    **{f"{app}/**/*.py": 300 for app in APPS},
    "bench/**/*.py": 300,
    "scripts/*.py": 300,
    "tests/**/*.py": 500,
    "templates/**/_*.html": 60,
    "templates/**/*.html": 180,
    "static/dboshub/css/*.css": 300,
    "static/dboshub/js/*.js": 200,
}
TOTALS = {"static/dboshub/css/*.css": 1600, "static/dboshub/js/*.js": 1500}
LONGEST_FUNCTION = 50


def _files() -> dict[Path, int]:
    found: dict[Path, int] = {}
    for pattern, most in BUDGETS.items():
        for path in ROOT.glob(pattern):
            found.setdefault(path, most)
    return found


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_every_file_is_within_its_budget() -> None:
    too_long = [
        f"{path.relative_to(ROOT)} has {_lines(path)} lines of {most}: {ADVICE}"
        for path, most in sorted(_files().items())
        if _lines(path) > most
    ]
    assert not too_long, "\n".join(too_long)


def test_every_function_is_within_its_budget() -> None:
    too_long = [
        f"{path.relative_to(ROOT)}: {name}() has {size} lines of {LONGEST_FUNCTION}: {ADVICE}"
        for path in sorted(_files())
        if path.suffix == ".py" and path.parts[len(ROOT.parts)] in APPS
        for name, size in _functions(path)
        if size > LONGEST_FUNCTION
    ]
    assert not too_long, "\n".join(too_long)


@pytest.mark.parametrize("pattern", TOTALS)
def test_the_front_end_is_within_its_budget_in_all(pattern: str) -> None:
    total = sum(_lines(path) for path in ROOT.glob(pattern))
    assert total <= TOTALS[pattern], f"{pattern}: {total} lines of {TOTALS[pattern]}"


def test_the_budgets_meet_the_files_they_are_for() -> None:
    kinds = {path.suffix for path in _files()}
    assert kinds == {".py", ".html", ".css", ".js"}
