"""How long the runs of a name and their steps usually take: on what it rests, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dboshub.workflows.page_cache import page_cache
from dboshub.workflows.selectors.detail import usual_durations as module
from dboshub.workflows.selectors.detail.usual_durations import (
    Usual,
    UsualDurations,
    usual_durations,
)
from dboshub.workflows.selectors.percentile import percentile
from dboshub.workflows.selectors.rows import row
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Session
from tests.support.runs import T0, add_step, add_workflow
from tests.support.statements import Statements


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    page_cache().clear()
    with database.writing() as writing:
        yield writing


def add_runs(session: Session, number: int, **columns: Any) -> None:
    """Runs of 1, 2, 3, … seconds, whose step takes a tenth of that."""
    for at in range(1, number + 1):
        ended = {"created_at": T0, "completed_at": T0 + at * 1_000}
        add_workflow(session, f"{columns.get('name', 'run')}-{at}", **ended | columns)
        add_step(session, f"{columns.get('name', 'run')}-{at}", 1, "charge", 0, at * 100)


def usual(session: Session, workflow_id: str, first: int = 1) -> UsualDurations:
    found = row(session, workflow_id)
    assert found is not None
    return usual_durations(session, found, first)


def test_percentiles_are_values_that_were_there() -> None:
    assert [percentile([*range(1, 101)], share) for share in (0.5, 0.95)] == [50, 95]
    assert [percentile([7], share) for share in (0.5, 0.95)] == [7, 7]


def test_they_are_of_the_good_runs_of_the_name_and_application(session: Session) -> None:
    add_runs(session, 20)
    add_runs(session, 20, name="other")
    add_workflow(session, "bank", application_name="bank", completed_at=T0 + 99_000)
    add_workflow(session, "bad", "ERROR", completed_at=T0 + 99_000)
    add_step(session, "bad", 1, "charge", 0, 99_000, error=ValueError())
    found = usual(session, "bad")
    assert found.runs == 20
    assert found.whole == Usual(10_000, 19_000, 20)
    assert found.steps == {"charge": Usual(1_000, 1_900, 20)}
    assert usual(session, "bank").whole is None


def test_what_failed_waits_or_starts_a_child_is_no_measure_of_a_step(session: Session) -> None:
    add_runs(session, 6)
    for at in range(1, 7):
        add_step(session, f"run-{at}", 2, "DBOS.sleep", 0, 60_000)
        add_step(session, f"run-{at}", 3, "pack", 0, 100, error=ValueError())
        add_step(session, f"run-{at}", 4, "begin", 0, 100, child="x")
        add_step(session, f"run-{at}", 5, "odd", 100, None)
        add_step(session, f"run-{at}", 6, "back", 100, 0)
    assert set(usual(session, "run-1").steps) == {"charge"}


def test_few_durations_tell_nothing(session: Session) -> None:
    add_runs(session, module.MIN_COUNT - 1)
    found = usual(session, "run-1")
    assert (found.runs, found.whole, found.steps) == (module.MIN_COUNT - 1, None, {})


def test_later_steps_are_sampled_where_they_are(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_STEPS", 10)
    add_runs(session, 5)
    for at in range(1, 6):
        add_step(session, f"run-{at}", 25, "late", 0, at * 10)
    assert set(usual(session, "run-1").steps) == {"charge"}
    assert set(usual(session, "run-1", first=23).steps) == {"late"}


def test_one_sample_serves_all_pages_for_a_minute(session: Session) -> None:
    add_runs(session, 5)
    with Statements() as seen:
        first = usual(session, "run-1")
        once = len(seen.texts)
        for at in range(1, 6):
            assert usual(session, f"run-{at}") == first
    assert seen.count("operation_outputs") == 1
    assert len(seen.texts) == once + 5


def test_only_of_many_it_is_notable_that_one_is_longer() -> None:
    assert not Usual(1, 2, module.MANY - 1).is_exceeded_by(3)
    assert Usual(1, 2, module.MANY).is_exceeded_by(3)
    assert not Usual(1, 2, module.MANY).is_exceeded_by(2)
