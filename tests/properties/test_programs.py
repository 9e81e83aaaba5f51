"""Programs that die anywhere, even several times, leave what an uninterrupted run leaves."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dboshub import DBOS, SetWorkflowID
from dboshub.workflows.engine.runtime import bulk_starting
from dboshub.workflows.storage.sql import Statement
from tests.crash.crash_points import Death
from tests.crash.crashing_ports import Mortals
from tests.properties.profiles import long, quick
from tests.properties.programs import Call, effects, interpret, left_by, programs

# A dead engine's threads end by the death that struck them.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")

RECORDED = Statement("SELECT workflow_uuid, function_id FROM {operation_outputs}")
EXISTS = Statement("SELECT 1 FROM {workflow_status} WHERE workflow_uuid = :id")
deaths = st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=1, max_size=3)
_names = itertools.count(1)


@pytest.fixture(autouse=True)
def several_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bulk call of five has three commits, between which an engine may die."""
    monkeypatch.setattr(bulk_starting, "MAX_ROWS", 2)


def check(url: str, program: list[Call], deaths: list[tuple[int, bool]]) -> None:
    engines = Mortals(url, suspend_after_sec=0.001)
    number = next(_names)
    whole, broken = f"whole-{number}.", f"broken-{number}."
    before: Counter[Any] = Counter()
    recorded: set[tuple[Any, ...]] = set()
    effects.clear()
    for at, after in deaths:
        engines.run(Death(at, after=after), lambda: begin(broken, program))
        assert_nothing_again(recorded, before)
        recorded = {tuple(row) for row in engines.ask(RECORDED)}
        before = Counter(effects)
    was_begun = bool(engines.ask(EXISTS, id=broken))
    assert was_begun or not effects

    def both() -> tuple[Any, Any]:
        begin(whole, program)
        begin(broken, program)
        return left_by(whole), left_by(broken)

    uninterrupted, interrupted = engines.recover(both)
    assert interrupted == uninterrupted
    assert_nothing_again(recorded, before)


def begin(workflow_id: str, program: list[Call]) -> Any:
    with SetWorkflowID(workflow_id):
        return DBOS.start_workflow(interpret, program)


def assert_nothing_again(recorded: set[tuple[Any, ...]], before: Counter[Any]) -> None:
    """No step ran again after its checkpoint."""
    again = Counter(effects) - before
    assert not [step for step in again if step in recorded]


@quick(6)
@given(program=programs, deaths=deaths)
def test_a_program_that_dies_leaves_what_an_uninterrupted_run_leaves(
    database_url: str, program: list[Call], deaths: list[tuple[int, bool]]
) -> None:
    check(database_url, program, deaths)


@pytest.mark.crash
@pytest.mark.timeout(1800)
@long(150)
@given(program=programs, deaths=deaths)
def test_many_programs_that_die_leave_what_uninterrupted_runs_leave(
    database_url: str, program: list[Call], deaths: list[tuple[int, bool]]
) -> None:
    check(database_url, program, deaths)
