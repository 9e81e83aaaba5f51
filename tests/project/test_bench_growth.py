"""How the growth benchmark judges and draws; what it measures is no matter of tests."""

from __future__ import annotations

from importlib.util import find_spec
from xml.etree import ElementTree

import pytest

from bench.growth import chart, report
from bench.growth.lines import Line, lines
from bench.growth.verdict import Growth

RATE = Line("drain", "/s", "backlog", (), "waiting", (10, 100, 1_000), "--waiting")
WAIT = Line("start", "ms", "idle_queue", (), "tables", (10, 1_000))


def test_every_line_has_a_program_and_growing_scales() -> None:
    for line in lines():
        assert find_spec(f"bench.engine.programs.{line.program}"), line
        assert [*line.scales] == sorted(set(line.scales)), line


def test_the_scale_is_an_argument_where_it_is_not_what_the_tables_hold() -> None:
    assert RATE.command(100) == ("--waiting", "100")
    assert WAIT.command(100) == ()


@pytest.mark.parametrize(
    ("line", "runs", "verdict"),
    [
        (RATE, {10: [900.0], 100: [880.0], 1_000: [910.0]}, "kept"),
        (RATE, {10: [900.0], 100: [450.0], 1_000: [300.0]}, "kept"),
        (RATE, {10: [900.0], 100: [880.0], 1_000: [200.0]}, "worse"),
        (RATE, {10: [900.0], 100: [100.0], 1_000: [900.0]}, "worse"),
        (RATE, {10: [100.0], 100: [900.0], 1_000: [300.0]}, "worse"),
        (WAIT, {10: [4.0, 4.0, 90.0], 1_000: [12.0, 1.0, 12.0]}, "kept"),
        (WAIT, {10: [4.0], 1_000: [40.0]}, "worse"),
    ],
)
def test_a_cost_may_grow_as_the_logarithm_of_its_scale(
    line: Line, runs: dict[int, list[float]], verdict: str
) -> None:
    assert report.figures(Growth(line, runs))["verdict"] == verdict


def test_the_chart_has_a_panel_for_each_line() -> None:
    kept = report.figures(Growth(RATE, {10: [900.0], 100: [880.0], 1_000: [910.0]}))
    worse = report.figures(Growth(WAIT, {10: [4.0], 1_000: [40.0]}))
    drawn = ElementTree.fromstring(chart.drawn([kept, worse]))
    kinds = [each.get("class") for each in drawn.iter("{http://www.w3.org/2000/svg}polyline")]
    assert kinds == ["bound", "kept", "bound", "worse"]


def test_one_scale_alone_can_be_drawn() -> None:
    ElementTree.fromstring(chart.drawn([report.figures(Growth(RATE, {10: [900.0]}))]))
