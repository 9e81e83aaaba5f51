"""Which failed work is open, acted on or resolved: told from the rows alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dboshub.workflows.selectors.failures import families, works
from dboshub.workflows.selectors.failures.works import (
    MAX_RUNS,
    FailedWork,
    State,
    failed_works,
    recent_failures,
)
from dboshub.workflows.selectors.rows import rows_by_id
from dboshub.workflows.selectors.scope import EVERYTHING, Viewer
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Session, Statement
from tests.support.runs import T0, add_workflow
from tests.workflows.selectors.test_plans import MOST, Spy, filled

SUCCEED = Statement(
    "UPDATE {workflow_status} SET status = 'SUCCESS', completed_at = created_at"
    " WHERE status = 'ENQUEUED'"
)
SHOP = Viewer(frozenset({"shop"}), unclaimed=False)


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.writing() as writing:
        yield writing


def run(session: Session, workflow_id: str, status: str, at: int, **columns: Any) -> None:
    """A run that began at a second after T0, and ended one second later."""
    begun = T0 + at * 1_000
    ended = begun + 1_000 if status not in ("PENDING", "ENQUEUED", "DELAYED") else None
    times = {"created_at": begun, "updated_at": begun, "completed_at": ended}
    add_workflow(session, workflow_id, status, **times | columns)


def fork(
    session: Session, workflow_id: str, source: str, status: str, at: int, **more: Any
) -> None:
    run(session, workflow_id, status, at, forked_from=source, **more)


def seen(session: Session, viewer: Viewer = EVERYTHING, *, since: int = 0) -> list[FailedWork]:
    return recent_failures(session, viewer, since=since, until=T0).works


def told(session: Session, viewer: Viewer = EVERYTHING) -> list[tuple[str, str]]:
    return [(work.target, work.state.value) for work in seen(session, viewer)]


def test_a_failed_run_is_open_until_a_fork_of_it_succeeds(session: Session) -> None:
    run(session, "a", "ERROR", 0)
    run(session, "fine", "SUCCESS", 0)
    assert told(session) == [("a", "open")]
    fork(session, "b", "a", "ENQUEUED", 10)
    assert told(session) == [("a", "acted_on")]
    session.run(SUCCEED)
    [work] = seen(session)
    assert (work.state, work.resolved_at) == (State.RESOLVED, T0 + 10_000)
    assert work.retry is not None
    assert work.retry.workflow_id == "b"


def test_what_gave_up_is_a_failure_and_what_was_cancelled_is_none(session: Session) -> None:
    run(session, "gave-up", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", 0)
    run(session, "stopped", "CANCELLED", 0)
    assert told(session) == [("gave-up", "open")]


def test_a_fork_that_failed_too_is_the_one_to_act_on(session: Session) -> None:
    run(session, "a", "ERROR", 0)
    fork(session, "b", "a", "ERROR", 10)
    fork(session, "c", "b", "CANCELLED", 20)
    [work] = seen(session)
    assert (work.target, work.state) == ("b", State.OPEN)
    assert [row.pk for row in work.runs] == ["b", "a"]
    fork(session, "d", "a", "SUCCESS", 30)
    assert told(session) == [("b", "resolved")]


def test_an_experiment_with_a_run_that_succeeded_before_is_a_failure_of_its_own(
    session: Session,
) -> None:
    run(session, "a", "SUCCESS", 0)
    fork(session, "b", "a", "ERROR", 10)
    assert told(session) == [("b", "open")]


def test_an_origin_that_was_resumed_and_ended_well_after_its_fork_failed_makes_it_good(
    session: Session,
) -> None:
    run(session, "a", "SUCCESS", 0, completed_at=T0 + 60_000)
    fork(session, "b", "a", "ERROR", 10)
    assert told(session) == [("b", "resolved")]


def test_forks_of_a_deleted_run_and_forks_of_themselves_are_looked_at(session: Session) -> None:
    fork(session, "orphan", "gone", "ERROR", 10)
    fork(session, "ring", "ring", "ERROR", 20)
    fork(session, "x", "y", "ERROR", 30)
    fork(session, "y", "x", "SUCCESS", 40)
    assert ("orphan", "open") in told(session)
    assert ("ring", "open") in told(session)
    assert ("x", "resolved") in told(session)


def test_children_that_failed_with_their_parent_are_its_work_and_tell_the_cause(
    session: Session,
) -> None:
    run(session, "top", "ERROR", 0, completed_at=T0 + 9_000)
    run(session, "mid", "ERROR", 1, parent_workflow_id="top", completed_at=T0 + 8_000)
    run(session, "low", "ERROR", 2, parent_workflow_id="mid")
    run(session, "alone", "ERROR", 3, parent_workflow_id="went-on")
    run(session, "went-on", "SUCCESS", 0)
    by_target = {work.target: work for work in seen(session)}
    assert {*by_target} == {"top", "alone"}
    assert by_target["top"].first.pk == "low"
    assert by_target["top"].head.pk == "top"
    assert len(by_target["top"].runs) == 3
    fork(session, "again", "top", "SUCCESS", 20)
    assert told(session) == [("top", "resolved"), ("alone", "open")]


def test_a_parent_that_is_no_longer_read_is_still_the_one_to_act_on(session: Session) -> None:
    run(session, "top", "ERROR", 0)
    run(session, "low", "ERROR", 1, parent_workflow_id="top")
    fork(session, "again", "top", "DELAYED", 20)
    rows = rows_by_id(session, ["low"])
    [work] = failed_works(session, rows.values())
    assert (work.target, work.state, [row.pk for row in work.runs]) == (
        "top",
        State.ACTED_ON,
        ["low"],
    )


def test_what_a_viewer_may_not_see_says_nothing(session: Session) -> None:
    run(session, "a", "ERROR", 0)
    run(session, "theirs", "ERROR", 0, application_name="bank")
    fork(session, "b", "a", "SUCCESS", 10, application_name="bank")
    assert told(session, SHOP) == [("a", "open")]
    assert ("a", "resolved") in told(session)


def test_only_what_failed_lately_counts_and_an_old_run_that_failed_now_is_found(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(works, "MAX_RUNS", 2)
    run(session, "long", "ERROR", -90_000, completed_at=T0 - 1_000)
    run(session, "old", "ERROR", -90_000)
    for number in range(3):
        run(session, f"new{number}", "ERROR", -100 + number)
    found = recent_failures(session, EVERYTHING, since=T0 - 3_600_000, until=T0)
    assert [work.target for work in found.works] == ["long", "new2", "new1", "new0"]
    assert found.is_cut


def test_so_many_forks_are_read_and_no_more(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(families, "MAX_FORKS", 3)
    run(session, "a", "ERROR", 0)
    for number in range(9):
        fork(session, f"f{number}", "a", "ERROR", 10 + number)
    found = families.families(session, rows_by_id(session, ["a"]).values())
    assert len(found["a"].attempts) == 1 + 3


CROWDED = """
INSERT INTO {workflow_status}
    (workflow_uuid, status, name, created_at, updated_at, completed_at, forked_from,
     parent_workflow_id, was_forked_from)
SELECT 'e' || n, 'ERROR', 'a', n, n, n, NULL, CASE WHEN n % 3 = 0 THEN 'e' || (n - 1) END, TRUE
FROM generate_series(1, 30000) AS n
UNION ALL
SELECT 'f' || n, 'ERROR', 'a', 40000 + n, 0, 40000 + n, 'e' || n, NULL, TRUE
FROM generate_series(1, 30000) AS n
UNION ALL
SELECT 'g' || n, 'SUCCESS', 'a', 90000 + n, 0, 90000 + n, 'f' || n, NULL, FALSE
FROM generate_series(1, 20000) AS n
UNION ALL
SELECT 'h' || n, 'SUCCESS', 'a', 190000 + n, 0, 190000 + n, 'f30000', NULL, FALSE
FROM generate_series(1, 100000) AS n;
ANALYZE {workflow_status};
"""


@pytest.fixture(scope="module")
def crowded(postgres_server: Any) -> Iterator[Database]:
    with postgres_server.fresh_database() as url:
        yield from filled(url, CROWDED)


def test_reading_failures_examines_a_bounded_number_of_rows_in_few_statements(
    crowded: Database,
) -> None:
    with crowded.reading() as session:
        spy = Spy(session)
        found = recent_failures(spy.spied(), EVERYTHING, since=0, until=10**12)
    assert found.is_cut
    assert len(found.works) >= MAX_RUNS // 2
    assert sum(spy.examined) <= MOST, spy.examined
    assert len(spy.examined) <= 10, spy.examined
