"""The benchmark's rows and verdicts; what it measures is no matter of tests."""

from __future__ import annotations

from collections import Counter
from importlib.util import find_spec

import pytest

from bench.engine import report
from bench.engine.contest import OURS, RAW, THEIRS, Result, command
from bench.engine.rows import ROWS, Goal, Row

QUICK = Row("quick", "/s", "steps", ("--threads", "1"), Goal(ratio=10), ("step",), ("slowly",))
PROMPT = Row("prompt", "ms", "idle_queue", (), Goal(at_most=4))


def test_every_row_has_a_name_of_its_own_and_a_program() -> None:
    names = Counter(row.name for row in ROWS)
    assert names.most_common(1)[0][1] == 1
    for row in ROWS:
        assert find_spec(f"bench.engine.programs.{row.program}"), row


def test_a_contender_gets_its_own_arguments() -> None:
    assert command(QUICK, OURS, "url") == ("steps", OURS, "url", "--threads", "1")
    assert command(QUICK, THEIRS, "url") == ("steps", THEIRS, "url", "slowly")
    assert command(QUICK, RAW, "url") == ("raw", "url", "step")


@pytest.mark.parametrize(
    ("ours", "verdict"), [(1_000.0, "reached"), (999.0, "≥ 80%"), (799.0, "below")]
)
def test_a_rate_is_judged_by_its_ratio(ours: float, verdict: str) -> None:
    found = report.figures(Result(QUICK, {OURS: [1.0, ours, 9_999.0], THEIRS: [100.0]}))
    assert found["verdict"] == verdict
    assert found["ratio"] == ours / 100


@pytest.mark.parametrize(("ours", "verdict"), [(4.0, "reached"), (4.1, "≥ 80%"), (5.1, "below")])
def test_a_wait_is_judged_by_its_length(ours: float, verdict: str) -> None:
    found = report.figures(Result(PROMPT, {OURS: [ours], THEIRS: [400.0]}))
    assert found["verdict"] == verdict
    assert found["ratio"] == 400 / ours


def test_a_rate_without_that_of_dbos_is_not_judged() -> None:
    assert report.figures(Result(QUICK, {OURS: [1.0]}))["verdict"] == "-"
    assert report.figures(Result(PROMPT, {OURS: [1.0]}))["verdict"] == "reached"


def test_the_table_has_medians_and_spread() -> None:
    result = Result(QUICK, {OURS: [2_000.0, 1_000.0, 3_000.0], THEIRS: [90.0], RAW: [5_000.0]})
    cells = [cell.strip() for cell in report.line(report.figures(result)).split("|")]
    assert cells[1:6] == [
        "quick, per s",
        "2,000 (1,000 to 3,000)",
        "90 (90 to 90)",
        "22.2",
        "5,000 (5,000 to 5,000)",
    ]
