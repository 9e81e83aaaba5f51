"""Starting workflows: directly, in the background, as children, under chosen ids."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from dboshub import DBOS, SetWorkflowID, SetWorkflowTimeout
from dboshub.workflows.engine.errors import (
    DBOSAwaitedWorkflowCancelledError,
    DBOSConflictingWorkflowError,
    DBOSException,
    DBOSNonExistentWorkflowError,
)
from tests.support.eventually import eventually


@DBOS.step()
def add(one: int, other: int) -> int:
    return one + other


@DBOS.workflow()
def sum_of(*numbers: int) -> int:
    total = 0
    for number in numbers:
        total = add(total, number)
    return total


@DBOS.workflow()
def parent() -> tuple[int, int]:
    handle = DBOS.start_workflow(sum_of, 1, 2)
    return sum_of(3, 4), handle.get_result()


@DBOS.workflow()
def failing(message: str) -> None:
    raise RuntimeError(message)


@DBOS.workflow()
def forgiving() -> str:
    try:
        failing("a child's error")
    except RuntimeError as error:
        return str(error)
    return "never"


@DBOS.workflow()
def sleeper(seconds: float) -> str:
    DBOS.sleep(seconds)
    return "rested"


@DBOS.workflow()
async def async_parent() -> list[Any]:
    handle = await DBOS.start_workflow_async(sum_of, 5, 6)
    other = await DBOS.start_workflow_async(async_child, 7)
    return [await handle.get_result(), await other.get_result(), await async_child(8)]


@DBOS.workflow()
async def async_child(number: int) -> int:
    await DBOS.sleep_async(0.01)
    return number


def names(workflow_id: str) -> list[tuple[str, str | None]]:
    return [
        (step["function_name"], step["child_workflow_id"])
        for step in DBOS.list_workflow_steps(workflow_id)
    ]


def test_children_are_named_after_the_step_that_started_them(dbos: type[DBOS]) -> None:
    with SetWorkflowID("p"):
        assert parent() == (7, 3)
    assert names("p") == [
        ("sum_of", "p-1"),
        ("sum_of", "p-2"),
        ("DBOS.getResult", "p-2"),
        ("DBOS.getResult", "p-1"),
    ]
    child = DBOS.get_workflow_status("p-1")
    assert child.parent_workflow_id == "p"
    assert child.status == "SUCCESS"


def test_a_childs_error_reaches_its_parent_and_both_record_it(dbos: type[DBOS]) -> None:
    with SetWorkflowID("p"):
        assert forgiving() == "a child's error"
    assert DBOS.get_workflow_status("p-1").status == "ERROR"
    assert isinstance(DBOS.list_workflow_steps("p")[1]["error"], RuntimeError)


async def test_async_workflows_start_and_call_both_kinds_of_children(dbos: type[DBOS]) -> None:
    assert await async_parent() == [11, 7, 8]
    handle = await DBOS.start_workflow_async(async_parent)
    assert await handle.get_result() == [11, 7, 8]
    assert (await handle.get_status()).status == "SUCCESS"


def test_an_error_is_raised_by_the_handle_and_told_by_the_status(dbos: type[DBOS]) -> None:
    handle = DBOS.start_workflow(failing, "broken")
    with pytest.raises(RuntimeError, match="broken"):
        handle.get_result()
    status = handle.get_status()
    assert (status.status, str(status.error)) == ("ERROR", "broken")
    assert status.input == {"args": ("broken",), "kwargs": {}}


def test_concurrent_starts_with_one_id_run_once(dbos: type[DBOS]) -> None:
    ran = []
    gate = threading.Barrier(8)

    @DBOS.workflow()
    def counted() -> int:
        ran.append(1)
        return len(ran)

    results = []

    def begin() -> None:
        gate.wait()
        with SetWorkflowID("same"):
            results.append(DBOS.start_workflow(counted).get_result())

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [1] * 8


def test_an_id_of_another_function_is_refused(dbos: type[DBOS]) -> None:
    with SetWorkflowID("taken"):
        sum_of(1)
    with SetWorkflowID("taken"), pytest.raises(DBOSConflictingWorkflowError, match="sum_of"):
        DBOS.start_workflow(sleeper, 0)


def test_a_taken_id_can_be_refused_altogether(dbos: type[DBOS]) -> None:
    from dboshub.workflows.engine.errors import DBOSWorkflowIDInUseError

    with SetWorkflowID("taken"):
        sum_of(1)
    with (
        SetWorkflowID("taken", workflow_id_reuse_policy="reject"),
        pytest.raises(DBOSWorkflowIDInUseError),
    ):
        sum_of(1)


def test_an_unknown_workflow_is_not_retrieved(dbos: type[DBOS]) -> None:
    with pytest.raises(DBOSNonExistentWorkflowError):
        DBOS.retrieve_workflow("nobody")
    assert DBOS.retrieve_workflow("nobody", existing_workflow=False).get_workflow_id() == "nobody"


def test_a_result_can_be_awaited_before_the_workflow_exists(dbos: type[DBOS]) -> None:
    found = []
    waiter = threading.Thread(target=lambda: found.append(DBOS.get_result("later")))
    waiter.start()
    with SetWorkflowID("later"):
        sum_of(20, 22)
    waiter.join(5)
    assert found == [42]


@pytest.mark.parametrize("bad", ["", "   ", "nul\x00"])
def test_an_id_that_cannot_be_is_refused(bad: str) -> None:
    with pytest.raises(DBOSException, match=r"(?i)workflow id"):
        SetWorkflowID(bad)


def test_a_timeout_cancels_a_waiting_workflow(dbos: type[DBOS]) -> None:
    with SetWorkflowTimeout(0.2):
        handle = DBOS.start_workflow(sleeper, 60)
    with pytest.raises(DBOSAwaitedWorkflowCancelledError):
        handle.get_result()
    assert handle.get_status().status == "CANCELLED"


def test_a_direct_call_is_told_that_it_was_cancelled(dbos: type[DBOS]) -> None:
    def cancel() -> None:
        eventually(lambda: DBOS.get_workflow_status("w"))
        DBOS.cancel_workflow("w")

    canceller = threading.Thread(target=cancel)
    canceller.start()
    with SetWorkflowID("w"), pytest.raises(DBOSAwaitedWorkflowCancelledError):
        sleeper(60)
    canceller.join()


def test_what_is_no_workflow_cannot_be_started(dbos: type[DBOS]) -> None:
    with pytest.raises(DBOSException, match="@DBOS"):
        DBOS.start_workflow(len, [])


@pytest.mark.usefixtures("plain_script")
def test_calls_before_launch_say_what_to_do() -> None:
    with pytest.raises(DBOSException, match="launch"):
        sum_of(1)
    with pytest.raises(DBOSException, match="launch"):
        DBOS.list_workflows()


def test_a_recorded_error_remembers_where_it_was_raised(dbos: type[DBOS]) -> None:
    with SetWorkflowID("w"), pytest.raises(RuntimeError) as raised:
        failing("broken")
    assert not hasattr(raised.value, "__notes__")
    notes = DBOS.get_workflow_status("w").error.__notes__
    assert len(notes) == 1
    assert "in failing" in notes[0]
    assert "dboshub/workflows/engine/" not in notes[0]
