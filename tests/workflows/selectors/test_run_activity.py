"""When anything of a run ran: merged by the database, whatever page of steps is shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dboshub.workflows.selectors.detail import run_activity as activity
from dboshub.workflows.selectors.detail import step_search, steps
from dboshub.workflows.selectors.detail.queue_places import times_without_a_place
from dboshub.workflows.selectors.detail.run_activity import RunActivity
from dboshub.workflows.selectors.rows import WorkflowRow, row, rows_by_id
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Session
from tests.support.runs import T0, add_step, add_workflow, insert

ID = "long"
NOW = T0 + 60_000


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.writing() as writing:
        yield writing


def found_row(session: Session, workflow_id: str = ID) -> WorkflowRow:
    found = row(session, workflow_id)
    assert found is not None
    return found


def found_in(session: Session, start: int = 1) -> RunActivity:
    page = steps.page(session, ID, start=start)
    return activity.run_activity(session, found_row(session), page, NOW)


def busy(found: RunActivity) -> list[tuple[int, int]]:
    return [(began - T0, ended - T0) for began, ended in found.busy]


def test_times_of_all_steps_are_merged_and_waits_are_none(session: Session) -> None:
    add_workflow(session, ID, completed_at=T0 + 40_000)
    for number in range(1, 301):
        add_step(session, ID, number, "work", number * 10, number * 10 + 10)
    add_step(session, ID, 301, "DBOS.sleep", 3_010, 30_000)
    add_step(session, ID, 302, "DBOS.getResult", 3_010, 31_000, child="other")
    add_step(session, ID, 303, "work", 30_000, 40_000)
    add_step(session, ID, 304, "unknown times", None, None)
    found = found_in(session, start=250)
    assert busy(found) == [(10, 3_010), (30_000, 40_000)]
    assert (found.is_whole, found.first) == (True, 0)


def test_a_child_is_at_work_until_it_ends(session: Session) -> None:
    add_workflow(session, ID)
    add_workflow(session, "child", started_at_epoch_ms=T0 + 2_000, completed_at=T0 + 3_000)
    add_workflow(session, "running", "PENDING", started_at_epoch_ms=T0 + 5_000)
    add_step(session, ID, 1, "child", 0, 5, child="child")
    add_step(session, ID, 2, "running", 5, 9, child="running")
    assert busy(found_in(session)) == [(2_000, 3_000), (5_000, 60_000)]


def test_times_are_as_many_as_can_be_seen(session: Session) -> None:
    add_workflow(session, ID, completed_at=T0 + 2_000_000)
    for number in range(1_000):
        add_step(session, ID, number, "work", number * 2_000, number * 2_000 + 1)
    found = found_in(session)
    assert len(found.busy) <= activity.MAX_TIMES
    assert busy(found)[0][0] == 0
    assert busy(found)[-1][1] == 1_998_001


def test_of_very_many_steps_those_around_the_page_are_read(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (activity, step_search):
        monkeypatch.setattr(module, "MAX_STEPS_SCANNED", 300)
    monkeypatch.setattr(steps, "MAX_COUNTED", 300)
    add_workflow(session, ID, completed_at=T0 + 10_000)
    for number in range(1, 1_001):
        add_step(session, ID, number, "work", number * 10, number * 10 + 10)
    found = found_in(session, start=700)
    assert (found.first, found.last, found.is_whole) == (550, 849, False)
    assert busy(found) == [(5_500, 8_500)]
    parts = step_search.step_map(session, ID, steps.page(session, ID, start=700))
    assert (parts[0].first, parts[-1].last, len(parts)) == (550, 849, 100)


def test_times_of_another_world_break_nothing(session: Session) -> None:
    add_workflow(session, ID)
    insert(
        session,
        "operation_outputs",
        workflow_uuid=ID,
        function_id=1,
        function_name="odd",
        started_at_epoch_ms=-(2**63),
        completed_at_epoch_ms=2**63 - 1,
    )
    add_step(session, ID, 2, "backwards", 100, 50)
    assert len(found_in(session).busy) == 1


def add_queued(
    session: Session, workflow_id: str, start: int, end: int | None, **more: object
) -> None:
    ended = None if end is None else T0 + end
    status = "PENDING" if end is None else "SUCCESS"
    given = {"queue_name": "q", "started_at_epoch_ms": T0 + start, "completed_at": ended}
    add_workflow(session, workflow_id, status, **given | more)


def full(session: Session, *ids: str) -> dict[str, list[tuple[int, int]]]:
    rows = rows_by_id(session, ids).values()
    return {
        each: [(start - T0, end - T0) for start, end in times]
        for each, times in times_without_a_place(session, rows, NOW).items()
    }


def test_a_queue_is_full_while_its_limit_is_held(session: Session) -> None:
    insert(session, "queues", queue_id="q", name="q", concurrency=2)
    add_queued(session, "a", 0, 5_000)
    add_queued(session, "b", 1_000, 3_000)
    add_queued(session, "c", 3_000, 4_000)
    add_queued(session, "waited", 4_500, 9_000)
    assert full(session, "waited")["waited"][:2] == [(1_000, 3_000), (3_000, 4_000)]


def test_who_gave_a_place_away_or_belongs_to_others_holds_none(session: Session) -> None:
    insert(session, "queues", queue_id="q", name="q", concurrency=1)
    add_queued(session, "suspended", 0, 4_000, delay_until_epoch_ms=T0 + 3_000)
    add_queued(session, "foreign", 0, 4_000, application_name="bank")
    add_queued(session, "running", 7_000, None)
    add_queued(session, "waited", 5_000, 6_000)
    assert full(session, "waited") == {"waited": [(5_000, 6_000), (7_000, 60_000)]}


def test_without_a_limit_or_a_wait_there_is_nothing_to_say(session: Session) -> None:
    insert(session, "queues", queue_id="q", name="q")
    add_queued(session, "waited", 5_000, 6_000)
    add_workflow(session, "direct")
    assert full(session, "waited", "direct") == {}
