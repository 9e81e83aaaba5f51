"""The waterfall: which lines there are, how they are nested and folded, and where bars lie."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dboshub.workflows.rendering.waterfall.chart import Chart, ChartInput, chart
from dboshub.workflows.rendering.waterfall.lines import Line, LiveEdge, UsualEnd
from dboshub.workflows.rendering.waterfall.scale import CUT_WIDTH, LABEL_WIDTH, scale
from dboshub.workflows.rendering.waterfall.zoom import asked
from dboshub.workflows.selectors.detail.run_activity import RunActivity
from dboshub.workflows.selectors.detail.steps import StepChildren, StepRow
from dboshub.workflows.selectors.detail.usual_durations import Usual, UsualDurations
from dboshub.workflows.selectors.rows import NAMES, WorkflowRow

T0 = 1_000_000


def workflow(workflow_id: str = "w", status: str = "SUCCESS", **columns: Any) -> WorkflowRow:
    ended = None if status in ("PENDING", "ENQUEUED", "DELAYED") else T0 + 10_000
    given = {"workflow_uuid": workflow_id, "status": status, "name": "checkout"}
    given |= {"created_at": T0, "updated_at": T0, "completed_at": ended, "priority": 0}
    return WorkflowRow(**dict.fromkeys(NAMES) | given | columns)


def step(number: int, name: str, start: int = 0, end: int = 100, **columns: Any) -> StepRow:
    given = {
        "workflow_uuid": "w",
        "child_id": None,
        "serialization": None,
        "output_size": 1,
        "error_size": None,
    }
    return StepRow(
        function_id=number,
        name=name,
        started_at=T0 + start,
        completed_at=T0 + end,
        **given | columns,
    )


def drawn(row: WorkflowRow, *steps: StepRow, now: int = 10_000, **options: Any) -> Chart:
    children = options.pop("family", StepChildren())
    return chart(ChartInput(row=row, steps=steps, children=children, now=T0 + now, **options))


def test_a_zoom_leaves_out_other_times_and_says_where_bars_go_on() -> None:
    found = drawn(
        workflow(),
        step(1, "early", 0, 100),
        step(2, "long", 1_000, 9_000),
        step(3, "late", 9_500, 9_600),
        window=(T0 + 4_000, T0 + 6_000),
    )
    assert labels(found.lines) == ["checkout", "long"]
    bar = found.lines[1].bars[0]
    assert (bar.x, bar.width, bar.is_cut_left, bar.is_cut_right) == ("0%", "100%", True, True)
    assert found.zoom.left_out == 2
    assert found.zoom.closer == f"from={T0 + 4_500}&to={T0 + 5_500}"
    assert found.zoom.wider == f"from={T0 + 3_000}&to={T0 + 7_000}"
    assert found.zoom.earlier == f"from={T0 + 3_000}&to={T0 + 5_000}"
    assert found.zoom.later == f"from={T0 + 5_000}&to={T0 + 7_000}"


def test_a_whole_waterfall_cuts_no_bar_and_leads_only_closer() -> None:
    found = drawn(workflow(), step(1, "a", 0, 9_000))
    assert not any(bar.is_cut_left or bar.is_cut_right for bar in found.lines[1].bars)
    zoom = found.zoom
    assert zoom.closer
    assert (zoom.wider, zoom.earlier, zoom.later) == (None, None, None)


@pytest.mark.parametrize(
    ("start", "end"), [("", ""), ("5", ""), ("9", "5"), ("-1", "5"), ("x", "5"), ("1", "9" * 40)]
)
def test_what_names_no_time_zooms_nothing(start: str, end: str) -> None:
    assert asked(start, end) is None


def labels(lines: tuple[Line, ...]) -> list[str]:
    return [line.label for line in lines]


def test_the_timeout_beside_a_wait_is_part_of_it() -> None:
    found = drawn(
        workflow(),
        step(1, "DBOS.recv", 0, 300),
        step(2, "DBOS.sleep", 0, 60_000),
        step(3, "charge"),
    )
    assert labels(found.lines) == ["checkout", "DBOS.recv", "charge"]
    assert found.lines[1].spans[0].kind == "wait"


def test_a_wait_that_has_not_ended_is_drawn_until_now() -> None:
    found = drawn(workflow(status="PENDING"), step(1, "a"), step(3, "DBOS.sleep", 200, 60_000))
    line = found.lines[-1]
    assert line.label == "waits for a message or event"
    assert (line.spans[0].start, line.spans[0].end) == (T0 + 200, T0 + 10_000)


@pytest.mark.parametrize(("status", "state"), [("DELAYED", "waiting"), ("CANCELLED", "cancelled")])
def test_a_wait_that_has_not_ended_is_not_done(status: str, state: str) -> None:
    row = workflow(status=status, queue_name="q", started_at_epoch_ms=T0 + 100)
    found = drawn(row, step(1, "DBOS.sleep", 200, 60_000), step(3, "DBOS.sleep", 300, 60_000))
    assert [line.state for line in found.lines] == [state] * 3
    assert [(s.kind, s.start - T0) for s in found.lines[0].spans] == [
        ("queued", 0),
        ("extent", 100),
    ]


def test_a_sleep_that_has_ended_is_done() -> None:
    found = drawn(workflow(status="PENDING"), step(1, "DBOS.sleep", 200, 300))
    assert found.lines[1].state == "done"


def test_a_child_is_drawn_with_its_wait_and_its_steps_at_its_call_site() -> None:
    child = workflow("c", queue_name="q", started_at_epoch_ms=T0 + 2_000)
    family = StepChildren({"c": child}, {"c": (step(1, "inner", 2_000, 3_000, workflow_uuid="c"),)})
    found = drawn(workflow(), step(1, "pack", child_id="c"), family=family)
    line = found.lines[1]
    assert [(span.kind, span.start - T0, span.end - T0) for span in line.spans] == [
        ("queued", 0, 2_000),
        ("extent", 2_000, 10_000),
    ]
    assert labels(line.lines) == ["inner"]
    assert (line.lines[0].depth, line.is_open, line.queued_ms) == (1, True, 2_000)


def test_many_siblings_of_one_name_are_folded_failures_first() -> None:
    steps = [step(at, "line", error_size=9 if at == 7 else None) for at in range(1, 11)]
    found = drawn(workflow(), *steps)
    assert labels(found.lines) == ["checkout", "10 of line"]
    fold = found.lines[1]
    assert (fold.failed, fold.state, fold.is_open) == (1, "failed", False)
    assert [line.step.function_id for line in fold.lines if line.step][:2] == [7, 1]


def test_rounds_of_call_and_sleep_are_folded_in_their_order() -> None:
    retries = []
    for at in range(60):
        failing = step(2 * at + 1, "charge", at * 100, at * 100 + 10, error_size=9)
        retries += [failing, step(2 * at + 2, "DBOS.sleep", at * 100 + 10, at * 100 + 100)]
    found = drawn(workflow(), *retries, step(121, "charge", 6_000, 6_010))
    assert labels(found.lines) == ["checkout", "60 rounds of charge, DBOS.sleep", "charge"]
    fold = found.lines[1]
    assert (fold.failed, fold.state, len(fold.lines)) == (60, "failed", 120)
    assert labels(fold.lines[:3]) == ["charge", "DBOS.sleep", "charge"]
    few = drawn(workflow(), *retries[:10])
    assert len(few.lines) == 11


def test_a_failure_within_rounds_is_not_folded_away() -> None:
    names = ("read", "read", "store")
    steps = [step(at + 1, names[at % 3], error_size=9 if at == 40 else None) for at in range(90)]
    assert labels(drawn(workflow(), *steps).lines[1:]) == [
        "13 rounds of read, read, store",
        "read",
        "read",
        "16 rounds of store, read, read",
        "store",
    ]


def test_delay_queue_full_queue_and_finish_are_told_apart() -> None:
    row = workflow(queue_name="q", delay_until_epoch_ms=T0 + 1_000, started_at_epoch_ms=T0 + 4_000)
    full = {"w": [(T0 + 500, T0 + 3_000)]}
    found = drawn(row, step(1, "a", 4_000, 9_000), full=full)
    own = found.lines[0]
    assert [(each.kind, each.start - T0, each.end - T0) for each in (*own.spans, *own.parts)] == [
        ("delayed", 0, 1_000),
        ("queued", 1_000, 4_000),
        ("extent", 4_000, 10_000),
        ("full", 1_000, 3_000),
        ("finish", 9_000, 10_000),
    ]
    assert own.split == (
        "delayed 1 s, queued 3 s (2 s without a free place), ran 6 s (1 s after its last step)"
    )
    assert [kind for kind, _ in found.kinds] == ["delayed", "queued", "full", "finish"]


def test_a_child_that_is_awaited_is_not_the_finish() -> None:
    child = workflow("c", completed_at=T0 + 9_000)
    family = StepChildren({"c": child}, {}, {"c"})
    own = drawn(workflow(), step(1, "pack", 0, 5, child_id="c"), family=family).lines[0]
    assert [(each.start - T0, each.end - T0) for each in own.parts] == [(9_000, 10_000)]
    assert own.split == "ran 10 s (1 s after its last step)"


def test_what_still_runs_or_was_cancelled_does_not_finish() -> None:
    for status in ("PENDING", "CANCELLED"):
        assert drawn(workflow(status=status), step(1, "a", 0, 100)).lines[0].parts == ()
    ended = drawn(workflow(), step(1, "a", 0, 100), has_last=False)
    assert ended.lines[0].parts == ()


def test_a_deep_child_has_its_own_time_before_its_steps_are_read() -> None:
    rows = {f"c{at}": workflow(f"c{at}", name=f"level {at}") for at in range(1, 13)}
    chain = {
        f"c{at}": (step(1, f"call {at}", 0, 5, workflow_uuid=f"c{at}", child_id=f"c{at + 1}"),)
        for at in range(1, 12)
    }
    family = StepChildren(rows, chain, frozenset(chain))
    found = drawn(workflow(), step(1, "call 0", 0, 5, child_id="c1"), family=family)
    line, depth = found.lines[1], 0
    while line.lines:
        assert (line.depth, line.duration_ms, line.is_unread) == (depth, 10_000, False)
        line, depth = line.lines[0], depth + 1
    assert (depth, line.duration_ms, line.is_unread, line.indent) == (11, 10_000, True, 8)


def test_a_circle_of_children_is_drawn_once() -> None:
    rows = {"c": workflow("c"), "w": workflow()}
    inner = (step(1, "back", workflow_uuid="c", child_id="w"),)
    family = StepChildren(rows, {"c": inner, "w": ()}, {"c", "w"})
    found = drawn(workflow(), step(1, "there", child_id="c"), family=family)
    assert labels(found.lines[1].lines) == ["back"]
    assert found.lines[1].lines[0].lines == ()


def test_the_live_edge_is_a_line_of_its_own() -> None:
    edge = LiveEdge("Running step 2.", T0 + 100, is_wait=False)
    found = drawn(workflow(status="PENDING"), step(1, "a"), edge=edge)
    assert (found.lines[-1].label, found.lines[-1].spans[0].end) == ("Running step 2.", T0 + 10_000)


def test_a_page_amid_the_steps_shows_its_own_time_counted_from_the_start() -> None:
    busy = RunActivity(((T0, T0 + 9_500),), 0, 9_999, is_whole=True)
    amid = [step(201, "a", 8_000, 8_500), step(202, "b", 8_500, 9_000)]
    found = drawn(workflow(), *amid, activity=busy, has_last=False)
    assert (found.scale.start, found.scale.end) == (T0 + 8_000, T0 + 9_000)
    assert found.scale.ticks()[0].after_ms == 8_000
    # It leads to the rest of the run.
    assert found.zoom.wider == f"from={T0 + 7_500}&to={T0 + 9_500}"
    assert found.zoom.earlier
    assert found.zoom.later
    assert not found.zoom.is_on


def test_the_time_of_steps_of_other_pages_is_not_idle() -> None:
    amid = [step(201, "a", 0, 100), step(202, "b", 9_900, 10_000)]
    row = workflow()
    assert drawn(row, *amid).scale.cuts
    busy = RunActivity(((T0 + 50, T0 + 6_000), (T0 + 6_500, T0 + 9_900)), 0, 9_999, is_whole=True)
    found = drawn(row, *amid, activity=busy)
    assert found.scale.cuts == []
    kinds = [(bar.kind, bar.x) for bar in found.lines[0].bars if bar.kind == "busy"]
    assert kinds == [("busy", "0.5%"), ("busy", "65%")]
    assert ("busy", "steps of any page") in found.kinds


def test_labels_of_the_axis_leave_each_other_room() -> None:
    axis = scale(0, 300_000, [(0, 2_000), (214_000, 216_000), (298_000, 300_000)])
    assert len(axis.cuts) == 2
    for labels in ([tick.x for tick in axis.ticks()], [cut.x for cut in axis.labelled_cuts]):
        places = [float(each[:-1]) for each in labels]
        assert all(b - a >= LABEL_WIDTH for a, b in pairwise(places)), places


@pytest.mark.parametrize("status", ["SUCCESS", "PENDING", "ENQUEUED", "DELAYED", "CANCELLED"])
def test_a_workflow_without_steps_or_times_is_drawn(status: str) -> None:
    bare = StepRow("w", 1, "a", None, None, None, None, None, None)
    for steps in ([], [bare]):
        assert drawn(workflow(status=status, queue_name="q"), *steps).lines[0].bars


def test_what_took_no_time_is_seen_even_at_the_end_of_the_axis() -> None:
    found = drawn(workflow(), step(1, "first", 0, 0), step(2, "last", 10_000, 10_000))
    for line in found.lines[1:]:
        left, width = (float(each[:-1]) for each in (line.bars[0].x, line.bars[0].width))
        assert width > 0
        assert 0 <= left <= 100 - width


def test_a_remark_goes_where_there_is_room() -> None:
    family = {"notes": {1: "early", 2: "late", 3: "long"}}
    found = drawn(
        workflow(),
        step(1, "a", 0, 1_000),
        step(2, "b", 9_000, 9_500),
        step(3, "c", 0, 10_000),
        **family,
    )
    assert [line.note_side for line in found.lines[1:]] == ["after", "before", "on"]


def test_a_long_idle_stretch_is_cut_and_named() -> None:
    axis = scale(0, 100_000, [(0, 1_000), (99_000, 100_000)])
    (cut,) = axis.cuts
    assert cut.label == "1 min 37 s"
    assert cut.right - cut.left == pytest.approx(CUT_WIDTH)
    assert axis.position(1_000) > 40


def test_time_in_which_something_ran_is_never_cut() -> None:
    assert scale(0, 100_000, [(0, 100_000)]).cuts == []
    assert scale(0, 900, [(0, 1)]).cuts == []


intervals = st.tuples(st.integers(0, 10**9), st.integers(0, 10**7)).map(
    lambda pair: (pair[0], pair[0] + pair[1])
)


@given(st.lists(intervals, max_size=30), st.integers(1, 10**9))
def test_later_times_never_lie_further_left(active: list[tuple[int, int]], length: int) -> None:
    axis = scale(0, length, active)
    times = sorted({0, length, *(each for pair in active for each in pair if each <= length)})
    places = [axis.position(time) for time in times]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (pytest.approx(0), pytest.approx(100))
    assert all(0 <= float(tick.x[:-1]) <= 100 for tick in axis.ticks())


def test_a_bar_has_its_usual_end_beside_it() -> None:
    usual = UsualDurations(30, Usual(5_000, 8_000, 30), {"poll": Usual(1_000, 2_000, 30)})
    known = {("checkout", None): usual}
    steps = [step(at, "poll", at * 1_000, at * 1_000 + 2_500) for at in range(1, 8)]
    found = drawn(workflow(), *steps, step(8, "other", 0, 100), usual=known)
    own, folded, other = found.lines
    assert (own.usual, own.is_slow) == (usual.whole, True)
    assert own.usual_end == UsualEnd("50%", "30%")
    assert (folded.usual, other.usual, other.usual_end) == (None, None, None)
    first = folded.lines[0]
    assert (first.usual, first.is_slow) == (usual.steps["poll"], True)
    assert first.usual_end == UsualEnd("20%", "10%")


def test_a_usual_end_outside_the_shown_time_is_not_drawn() -> None:
    usual = {("checkout", None): UsualDurations(30, None, {"poll": Usual(5_000, 6_000, 30)})}
    window = (T0 + 2_000, T0 + 4_000)
    found = drawn(workflow(), step(1, "poll", 0, 9_000), usual=usual, window=window)
    assert found.lines[1].usual_end is None
    assert found.lines[1].is_slow


def test_a_child_and_its_steps_have_the_usual_durations_of_its_name() -> None:
    child = workflow("c", name="pack", started_at_epoch_ms=T0 + 1_000)
    inner = step(1, "wrap", 1_000, 9_000, workflow_uuid="c")
    family = StepChildren({"c": child}, {"c": (inner,)}, {"c"})
    packing = UsualDurations(30, Usual(1_000, 2_000, 30), {"wrap": Usual(500, 900, 30)})
    checkout = UsualDurations(30, None, {"wrap": Usual(1, 2, 30), "pack": Usual(3, 4, 30)})
    known = {("pack", None): packing, ("checkout", None): checkout}
    line = drawn(workflow(), step(1, "pack", child_id="c"), family=family, usual=known).lines[1]
    assert (line.usual, line.is_slow) == (packing.whole, True)
    assert line.usual_end == UsualEnd("20%", "10%")
    assert (line.lines[0].usual, line.lines[0].is_slow) == (packing.steps["wrap"], True)


def test_what_has_not_begun_or_starts_an_unknown_child_has_no_usual_duration() -> None:
    known = UsualDurations(30, Usual(1, 2, 30), {"charge": Usual(1, 2, 30)})
    usual = {("checkout", None): known}
    waiting = workflow(status="ENQUEUED", queue_name="q")
    found = drawn(waiting, step(1, "charge", child_id="c"), usual=usual)
    assert [line.usual for line in found.lines] == [None, None]
