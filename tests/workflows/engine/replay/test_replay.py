"""A replay runs a body against its record alone, and tells where the code differs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from dboshub import DBOS, SetWorkflowID
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.registration.registry import Registry, registry
from dboshub.workflows.engine.replay.records import Kind, RecordedRun, RunReport
from dboshub.workflows.engine.replay.replaying import replay
from dboshub.workflows.engine.serialization import Codec
from dboshub.workflows.storage.control.export_format import unpack
from dboshub.workflows.storage.control.recorded_runs import recorded_runs
from tests.support.eventually import eventually
from tests.workflows.engine.replay import program
from tests.workflows.engine.replay.program import Branches, Deployed, calls


@pytest.fixture(autouse=True)
def undeployed() -> Iterator[None]:
    Deployed.change = ""
    calls.clear()
    program.never.clear()
    yield
    program.never.set()


def recorded(workflow_id: str = "w") -> dict[str, RecordedRun]:
    """The run and its children, from a bundle; DBOS is gone afterwards, and no step has run."""
    bundle = DBOS.export_workflow(workflow_id, export_children=True)
    DBOS.destroy()
    calls.clear()
    return {each.claimed.workflow_id: each for each in recorded_runs(unpack(bundle))}


def ran(workflow: Callable[..., Any], *args: Any) -> RecordedRun:
    """A run of a workflow to its end."""
    with SetWorkflowID("w"):
        handle: Any = DBOS.start_workflow(workflow, *args)
    try:
        handle.get_result()
    except ValueError:
        pass
    return recorded()["w"]


def replayed(run: RecordedRun, change: str = "", **options: Any) -> RunReport:
    Deployed.change = change
    found = replay(run, registry, Codec(), **options)
    assert calls.noted == [], "a replay runs no step"
    return found


def found(report: RunReport) -> list[tuple[Kind, int | None]]:
    return [(each.kind, each.step) for each in report.divergences]


@pytest.mark.parametrize(
    ("workflow", "args"),
    [
        (program.rp_order, (3,)),
        (program.rp_failing, (3,)),
        (program.rp_patched, (3,)),
        (program.rp_threads, ()),
        (program.rp_booked, (3,)),
        (program.rp_gather, (False,)),
        (program.rp_late, ()),
    ],
)
def test_the_code_that_was_recorded_agrees_with_its_record(
    dbos: type[DBOS], workflow: Callable[..., Any], args: tuple[Any, ...]
) -> None:
    run = ran(workflow, *args)
    report = replayed(run)
    assert found(report) == []
    assert (report.outcome, report.goes_on_with) == (run.outcome.status, None)


def test_children_are_replayed_from_their_own_records(dbos: type[DBOS]) -> None:
    with SetWorkflowID("w"):
        program.rp_order(3)
    runs = recorded()
    assert len(runs) == 3
    assert [found(replayed(each)) for each in runs.values()] == [[], [], []]
    assert {run.claimed.name for run in runs.values()} == {"rp_order", "rp_ship"}


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ("renamed", [(Kind.STEP, 1)]),
        ("inserted", [(Kind.STEP, 2)]),
        ("event", [(Kind.ARGUMENTS, 2)]),
        ("stream", [(Kind.ARGUMENTS, 3)]),
        ("child", [(Kind.ARGUMENTS, 4)]),
        ("removed", [(Kind.STEP, 14)]),
        ("added", [(Kind.STEP, 15)]),
        ("fails", [(Kind.MISSING, 15)]),
        ("returns", [(Kind.OUTCOME, None)]),
    ],
)
def test_a_change_of_the_code_is_found_where_it_is(
    dbos: type[DBOS], change: str, difference: list[tuple[Kind, int | None]]
) -> None:
    report = replayed(ran(program.rp_order, 3), change)
    assert found(report) == difference


def test_a_step_is_told_with_both_names(dbos: type[DBOS]) -> None:
    (difference,) = replayed(ran(program.rp_order, 3), "renamed").divergences
    assert (difference.recorded, difference.called) == ("rp_price", "rp_discount")
    assert difference.text == "step 1 is recorded as rp_price, and the code calls rp_discount"


def test_another_error_is_another_outcome(dbos: type[DBOS]) -> None:
    (difference,) = replayed(ran(program.rp_failing, 3), "message").divergences
    assert difference.kind is Kind.OUTCOME
    assert "failed with ValueError: same, and the code fails with ValueError: other" in (
        difference.text
    )


def test_steps_beyond_the_end_of_a_run_are_found(dbos: type[DBOS]) -> None:
    report = replayed(ran(program.rp_gather, False), "one more")
    assert found(report) == [(Kind.EXTRA, 5)]


def test_a_run_in_flight_goes_on_where_its_record_ends(dbos: type[DBOS]) -> None:
    with SetWorkflowID("w"):
        DBOS.start_workflow(program.rp_waiting, 1)
    assert DBOS.get_event("w", "ready", 20)
    eventually(lambda: len(DBOS.list_workflow_steps("w")) == 3)  # the timer of the wait
    run = recorded()["w"]
    report = replayed(run)
    assert found(report) == []
    assert (report.outcome, report.goes_on_with) == (None, (3, "DBOS.recv"))
    assert found(replayed(run, "moved")) == [(Kind.STEP, 2)]


def test_branches_beside_a_step_in_flight_are_replayed_to_their_end(dbos: type[DBOS]) -> None:
    Branches.release = asyncio.Event()
    with SetWorkflowID("w"):
        DBOS.start_workflow(program.rp_gather, True)
    eventually(lambda: calls.count("rp_fetch") == 5)
    eventually(lambda: len(DBOS.list_workflow_steps("w")) == 4)
    run = recorded()["w"]
    report = replayed(run)
    assert found(report) == []
    assert (report.replayed, report.goes_on_with) == (4, (1, "rp_fetch"))


@pytest.mark.parametrize("change", ["patched", "at the end"])
def test_a_patch_keeps_old_runs_as_they_were(dbos: type[DBOS], change: str) -> None:
    assert found(replayed(ran(program.rp_patched, 3), change)) == []


def test_a_workflow_that_is_gone_is_told(dbos: type[DBOS]) -> None:
    report = replay(ran(program.rp_failing, 1), Registry(), Codec())
    assert found(report) == [(Kind.UNKNOWN, None)]


def test_a_result_that_cannot_be_read_any_more_is_told(dbos: type[DBOS]) -> None:
    run = ran(program.rp_failing, 1)
    spoilt = replace(run, steps=[replace(each, output="gAWVBA==") for each in run.steps])
    assert found(replayed(spoilt)) == [(Kind.UNREADABLE, 1)]
    unread = replace(run, claimed=replace(run.claimed, inputs="gAWVBA=="))
    assert found(replayed(unread)) == [(Kind.UNREADABLE, None)]


def test_a_body_that_asks_the_database_itself_is_told(dbos: type[DBOS]) -> None:
    run = ran(program.rp_odd, 1)
    assert found(replayed(run, "asks")) == [(Kind.UNRECORDED, None)]


def test_a_body_that_hangs_is_told(dbos: type[DBOS]) -> None:
    report = replayed(ran(program.rp_odd, 1), "hangs", limit_s=0.05)
    program.never.set()
    assert found(report) == [(Kind.STUCK, None)]


def test_a_process_that_runs_workflows_replays_none(dbos: type[DBOS]) -> None:
    program.rp_odd(1)
    with SetWorkflowID("w"):
        program.rp_odd(1)
    (run,) = recorded_runs(unpack(DBOS.export_workflow("w")))
    with pytest.raises(DBOSException, match="has launched DBOS"):
        replay(run, registry, Codec())
