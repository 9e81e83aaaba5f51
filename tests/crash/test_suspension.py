"""The engine dies before and after every storage call while its workflows leave memory and wake."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from dboshub import DBOS, SetWorkflowID
from dboshub.workflows.storage.sql import Statement
from tests.crash.crash_points import Death
from tests.crash.crashing_ports import Mortals
from tests.crash.scenario import charge, effects, ship

# A dead engine's threads end by the death that struck them.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")

WORKFLOW = "patient-1"
RECORDED = Statement("SELECT workflow_uuid, function_id FROM {operation_outputs}")
EXISTS = Statement("SELECT 1 FROM {workflow_status} WHERE workflow_uuid = :id")
WAITS = Statement("SELECT count(*) FROM {dboshub_wait}")
ATTEMPTS = Statement("SELECT max(recovery_attempts) FROM {workflow_status}")
RESULT = [5, "a letter", 7, "shipped for 5"]


@DBOS.workflow(name="crash.postman")
def postman(receiver: str) -> None:
    DBOS.sleep(0.3)
    DBOS.send(receiver, "a letter", "letters")


@DBOS.workflow(name="crash.napper")
def napper(amount: int) -> int:
    DBOS.sleep(0.2)
    return amount + 2


@DBOS.workflow(name="crash.patient")
def patient(amount: int) -> list[Any]:
    charged = charge(amount)
    DBOS.start_workflow(postman, DBOS.workflow_id)
    letter = DBOS.recv("letters", 60)
    DBOS.sleep(0.2)
    answer = DBOS.start_workflow(napper, charged).get_result()
    return [charged, letter, answer, ship(charged)]


def begin() -> Any:
    with SetWorkflowID(WORKFLOW):
        return DBOS.start_workflow(patient, 5)


def live_and_let_die(url: str, at: int, *, after: bool) -> Death:
    effects.clear()
    engines = Mortals(url, suspend_after_sec=0.02)
    death = Death(at, after=after)
    acknowledged = engines.run(death, begin)
    recorded = {(workflow, step) for workflow, step in engines.ask(RECORDED)}
    before = Counter(effects)
    if not acknowledged and not engines.ask(EXISTS, id=WORKFLOW):
        assert not effects
        return death
    assert engines.recover(lambda: DBOS.get_result(WORKFLOW)) == RESULT
    assert engines.ask(WAITS) == [(0,)]
    assert engines.ask(ATTEMPTS)[0][0] <= 2
    for name, times in Counter(effects).items():
        workflow, step, _ = name.rsplit("/", 2)
        if (workflow, int(step)) in recorded:
            assert times == before[name], f"{name} ran again after its checkpoint"
        assert times <= 2
    return death


def test_an_uninterrupted_run_leaves_memory_four_times(database_url: str) -> None:
    death = live_and_let_die(database_url, at=10_000, after=True)
    assert not death.struck.is_set()
    assert death.calls.count("suspend") >= 4
    assert death.calls.count("wake") >= 2


@pytest.mark.parametrize("at", [6, 9, 14])
def test_dying_here_and_there_changes_nothing(database_url: str, at: int) -> None:
    live_and_let_die(database_url, at, after=True)


@pytest.mark.crash
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 36))
def test_dying_at_a_storage_call_changes_nothing(database_url: str, at: int, after: bool) -> None:
    live_and_let_die(database_url, at, after=after)
