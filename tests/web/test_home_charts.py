"""Charts as numbers: gaps break curves, axes are round, parts of a bar add up."""

from __future__ import annotations

from typing import Any

import pytest

from dboshub.workflows.rendering.chart_svg import chart_columns
from dboshub.workflows.rendering.charts import (
    HEIGHT,
    Chart,
    ChartColumn,
    Rect,
    durations,
    failure_rate,
    labels,
    throughput,
)
from dboshub.workflows.rollups.counting import Tally
from dboshub.workflows.rollups.histogram import bucket
from dboshub.workflows.rollups.series import TimeBucket

M = 60_000


def stretch(
    place: int, *, covered: int = 1, took: int | None = None, **outcomes: int
) -> TimeBucket:
    tally = Tally()
    tally.outcomes.update(outcomes)
    if took is not None:
        tally.run[bucket(took)] = 1
    return TimeBucket(place * M, (place + 1) * M, covered, 1, tally)


def link(each: TimeBucket) -> str:
    return f"/{each.at}"


def test_the_parts_of_a_bar_add_up_to_what_ended() -> None:
    chart = throughput([stretch(0, succeeded=6, failed=2, created=9), stretch(1)], link)
    first, second = chart.columns
    assert [line.label for line in chart.grid] == ["10", "5"]
    assert sum(rect.height for rect in first.rects) == pytest.approx(0.8 * HEIGHT)
    assert [rect.css for rect in first.rects] == ["s-success", "s-error"]
    assert min(rect.y for rect in first.rects) == pytest.approx(0.2 * HEIGHT)
    assert (second.rects, second.url) == ((), "/60000")


def test_a_gap_is_neither_a_bar_nor_a_link_and_breaks_the_curves() -> None:
    places = [stretch(0, took=500), stretch(1, covered=0), stretch(2, took=500)]
    chart = durations(places, link)
    assert [column.is_gap for column in chart.columns] == [False, True, False]
    assert [column.url for column in chart.columns] == ["/0", "", "/120000"]
    assert "not counted" in chart.columns[1].title
    assert {curve.css: len(curve.pieces) for curve in chart.curves} == {
        "curve-p50": 2, "curve-p95": 2, "curve-p99": 2,
    }  # fmt: skip


def test_an_axis_of_durations_is_marked_in_units_people_use() -> None:
    chart = durations([stretch(0, took=40), stretch(1, took=200_000)], link)
    marks = {line.label: line.y for line in chart.grid}
    assert [*marks] == ["10 min", "1 min", "10 s", "1 s", "100 ms"]
    assert marks["10 min"] == 0
    assert sorted(marks.values()) == [*marks.values()]


def test_nothing_at_all_still_has_axes() -> None:
    for chart in (make([stretch(0)], link) for make in (throughput, failure_rate, durations)):
        assert chart.grid
        assert chart.columns[0].rects == ()
    assert durations([stretch(0, took=0)], link).curves[0].pieces == ("0.00,100.00 100.00,100.00",)


def test_what_is_counted_in_part_says_so() -> None:
    part = TimeBucket(0, 5 * M, 2, 5, Tally())
    assert "(2 of 5 minutes counted)" in throughput([part], link).columns[0].title


@pytest.mark.parametrize("make", [throughput, failure_rate, durations])
def test_a_summary_claims_no_more_than_was_counted(make: Any) -> None:
    counted, missing = stretch(0, took=5, succeeded=1), stretch(1, covered=0)
    assert "counted" not in make([counted], link).summary
    assert make([counted, missing], link).summary.endswith(", as far as counted.")
    assert make([missing], link).summary == "Nothing of this time is counted."


def test_few_labels_say_when() -> None:
    found = labels([stretch(place) for place in range(60)])
    assert [label.text for label in found] == [f"00:{place}0" for place in range(6)]


def test_columns_are_drawn_as_links_and_hatched_gaps_and_their_texts_are_escaped() -> None:
    rects = (Rect("s-error", 60.0, 60.0),)
    columns = (
        ChartColumn("0%", "50%", "<b>1</b>", "/?a=1&b=2", False, rects),
        ChartColumn("50%", "50%", "not counted", "", True),
    )
    drawn = chart_columns(Chart("", "", columns, ()), 7)
    assert drawn == (
        '<a class="column" href="/?a=1&amp;b=2" tabindex="-1"><title>&lt;b&gt;1&lt;/b&gt;</title>'
        '<rect class="column-hit" x="0%" y="0" width="50%" height="120"/>'
        '<rect class="column-part s-error" x="0%" y="60.0" width="50%" height="60.0"/></a>'
        '<rect x="50%" y="0" width="50%" height="120" fill="url(#gap-7)">'
        "<title>not counted</title></rect>"
    )
