"""The engine dies before and after every storage call while its workflows leave memory and wake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dboshub import DBOS
from dboshub.workflows.storage.sql import Statement
from tests.crash.crash_points import Death
from tests.crash.crashing_ports import Mortals
from tests.crash.lives import WORKFLOW, live_and_let_die
from tests.crash.scenario import charge, effect, ship

# A dead engine's threads end by the death that struck them.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")

# An uninterrupted run makes about so many storage calls; grouping makes them more or fewer.
CALLS = 56
WAITS = Statement("SELECT count(*) FROM {dboshub_wait}")
ATTEMPTS = Statement("SELECT max(recovery_attempts) FROM {workflow_status}")
RESULT = [5, "a letter", "a stamp", 7, "shipped for 5"]


@DBOS.step()
async def async_charge(amount: int) -> int:
    effect("charge")
    return amount


@DBOS.step()
async def async_ship(amount: int) -> str:
    effect("ship")
    return f"shipped for {amount}"


@DBOS.workflow(name="crash.postman")
def postman(receiver: str) -> None:
    DBOS.sleep(0.3)
    DBOS.send(receiver, "a letter", "letters")
    DBOS.sleep(0.3)
    DBOS.set_event("stamp", "a stamp")


@DBOS.workflow(name="crash.async_postman")
async def async_postman(receiver: str) -> None:
    await DBOS.sleep_async(0.3)
    await DBOS.send_async(receiver, "a letter", "letters")
    await DBOS.sleep_async(0.3)
    await DBOS.set_event_async("stamp", "a stamp")


@DBOS.workflow(name="crash.napper")
def napper(amount: int) -> int:
    DBOS.sleep(0.2)
    return amount + 2


@DBOS.workflow(name="crash.async_napper")
async def async_napper(amount: int) -> int:
    await DBOS.sleep_async(0.2)
    return amount + 2


@DBOS.workflow(name="crash.patient")
def patient(amount: int) -> list[Any]:
    charged = charge(amount)
    sender = DBOS.start_workflow(postman, DBOS.workflow_id).workflow_id
    letter = DBOS.recv("letters", 60)
    stamp = DBOS.get_event(sender, "stamp", 60)
    DBOS.sleep(0.2)
    answer = DBOS.start_workflow(napper, charged).get_result()
    return [charged, letter, stamp, answer, ship(charged)]


@DBOS.workflow(name="crash.async_patient")
async def async_patient(amount: int) -> list[Any]:
    charged = await async_charge(amount)
    sender = await DBOS.start_workflow_async(async_postman, DBOS.workflow_id)
    letter = await DBOS.recv_async("letters", 60)
    stamp = await DBOS.get_event_async(sender.workflow_id, "stamp", 60)
    await DBOS.sleep_async(0.2)
    answer = await (await DBOS.start_workflow_async(async_napper, charged)).get_result()
    return [charged, letter, stamp, answer, await async_ship(charged)]


def die(url: str, workflow: Callable[[int], Any], at: int, *, after: bool) -> Death:
    engines = Mortals(url, suspend_after_sec=0.02)
    death = Death(at, after=after)
    told = live_and_let_die(engines, death, workflow, lambda: DBOS.get_result(WORKFLOW))
    if told is not None:
        assert told == RESULT
        assert engines.ask(WAITS) == [(0,)]
        assert engines.ask(ATTEMPTS)[0][0] <= 2
    return death


@pytest.mark.parametrize("workflow", [patient, async_patient])
def test_an_uninterrupted_run_leaves_memory(database_url: str, workflow: Any) -> None:
    death = die(database_url, workflow, at=10_000, after=True)
    assert not death.struck.is_set()
    assert {"suspend", "wake", "release_due"} <= {*death.calls}


@pytest.mark.parametrize(
    ("workflow", "at"), [(patient, 6), (async_patient, 9), (patient, 14), (async_patient, 20)]
)
def test_dying_here_and_there_changes_nothing(database_url: str, workflow: Any, at: int) -> None:
    die(database_url, workflow, at, after=True)


# The moments after a call are those before the next one: each kind has all of them.
@pytest.mark.crash
@pytest.mark.parametrize(
    ("workflow", "after"), [(patient, False), (async_patient, True)], ids=["sync", "async"]
)
@pytest.mark.parametrize("at", range(1, CALLS + 1))
def test_dying_at_a_storage_call_changes_nothing(
    database_url: str, workflow: Any, at: int, after: bool
) -> None:
    die(database_url, workflow, at, after=after)
