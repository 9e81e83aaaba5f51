"""The engine dies before and after every storage call, and the outcome is always the same.

Either the start was never acknowledged and never happened, or the workflow completes with the
result of an uninterrupted run, and no step runs again once its checkpoint is recorded.
"""

from __future__ import annotations

from typing import Any

import pytest

from dboshub import DBOS
from tests.crash.crash_points import Death
from tests.crash.crashing_ports import Mortals
from tests.crash.lives import WORKFLOW, live_and_let_die
from tests.crash.scenario import LOG, RESULT, story

# A dead engine's threads end by the death that struck them.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")

FEWEST_CALLS, MOST_CALLS = 22, 35


def outcome() -> tuple[Any, list[Any]]:
    return DBOS.get_result(WORKFLOW), [*DBOS.read_stream(WORKFLOW, "log")]


def die(url: str, at: int, *, after: bool) -> Death:
    death = Death(at, after=after)
    assert live_and_let_die(Mortals(url), death, story, outcome) in (None, (RESULT, LOG))
    return death


def test_an_uninterrupted_run_comes_to_the_expected_result(database_url: str) -> None:
    death = die(database_url, at=10_000, after=True)
    assert not death.struck.is_set()
    # Outcomes that nobody waits for share a commit by chance: 25 to 28 calls.
    assert FEWEST_CALLS <= len(death.calls) <= MOST_CALLS


@pytest.mark.parametrize("at", [3, 10, 16, FEWEST_CALLS])
def test_dying_here_and_there_changes_nothing(database_url: str, at: int) -> None:
    assert die(database_url, at, after=True).struck.is_set()


@pytest.mark.crash
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, MOST_CALLS + 1))
def test_dying_at_a_storage_call_changes_nothing(database_url: str, at: int, after: bool) -> None:
    die(database_url, at, after=after)
