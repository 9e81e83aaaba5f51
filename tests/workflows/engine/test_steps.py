"""Steps: recorded once, replayed for ever, tried as often as they ask to be."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dboshub import DBOS, SetWorkflowID
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.errors import DBOSMaxStepRetriesExceeded, DBOSStepTimeoutError
from tests.workflows.engine.calls import Calls

calls = Calls()


@DBOS.step()
def double(number: int) -> int:
    calls.note("double", number)
    return number * 2


@DBOS.step(name="named")
def renamed() -> str:
    return "by another name"


@DBOS.step()
def refuse() -> None:
    calls.note("refuse")
    raise ValueError("not today")


@DBOS.workflow()
def doubles(count: int) -> list[int]:
    return [double(number) for number in range(count)]


@DBOS.workflow()
def mixed() -> str:
    double(1)
    DBOS.run_step({"name": "inline"}, lambda: "x")
    DBOS.run_step(None, double, 4)
    return renamed()


@DBOS.workflow()
def refused() -> str:
    try:
        refuse()
    except ValueError as error:
        return f"caught {error}"
    return "never"


def recorded(workflow_id: str) -> list[tuple[int, str, Any]]:
    steps = DBOS.list_workflow_steps(workflow_id)
    return [(step["function_id"], step["function_name"], step["output"]) for step in steps]


def test_steps_are_numbered_from_one_and_recorded_with_name_and_output(dbos: type[DBOS]) -> None:
    with SetWorkflowID("w"):
        assert doubles(3) == [0, 2, 4]
    assert recorded("w") == [(1, "double", 0), (2, "double", 2), (3, "double", 4)]


def test_a_step_can_be_named_and_run_without_a_decorator(dbos: type[DBOS]) -> None:
    with SetWorkflowID("w"):
        assert mixed() == "by another name"
    # A decorated step called as a plain callable inside a step is part of that step.
    assert [name for _, name, _ in recorded("w")] == ["double", "inline", "double", "named"]


def test_the_same_id_returns_the_recorded_result_without_running_again(dbos: type[DBOS]) -> None:
    calls.clear()
    for _ in range(2):
        with SetWorkflowID("once"):
            assert doubles(2) == [0, 2]
    assert calls.count("double") == 2


def test_outside_a_workflow_a_step_is_a_plain_function() -> None:
    assert double(21) == 42


def test_a_failed_step_is_recorded_and_raised_again_by_a_replay(dbos: type[DBOS]) -> None:
    calls.clear()
    with SetWorkflowID("w"):
        assert refused() == "caught not today"
    error = DBOS.list_workflow_steps("w")[0]["error"]
    assert isinstance(error, ValueError)
    fork = DBOS.fork_workflow("w", start_step=2)
    assert fork.get_result() == "caught not today"
    assert calls.count("refuse") == 1


attempts: list[int] = []


@DBOS.step(retries_allowed=True, max_attempts=3, interval_seconds=0.01, backoff_rate=1)
def third_time_lucky() -> int:
    assert DBOS.step_status.max_attempts == 3
    attempts.append(DBOS.step_status.current_attempt)
    if len(attempts) < 3:
        raise ConnectionError("again")
    return len(attempts)


@DBOS.step(retries_allowed=True, max_attempts=2, interval_seconds=0.01)
def hopeless() -> None:
    raise KeyError("gone")


@DBOS.step(
    retries_allowed=True,
    interval_seconds=0.01,
    should_retry=lambda error: not isinstance(error, KeyError),
)
def choosy() -> None:
    calls.note("choosy")
    raise KeyError("final")


@DBOS.workflow()
def lucky() -> int:
    return third_time_lucky()


@DBOS.workflow()
def hopeless_workflow() -> None:
    hopeless()


@DBOS.workflow()
def choosy_workflow() -> None:
    choosy()


def test_a_step_is_retried_and_sees_the_attempt_it_is_at(dbos: type[DBOS]) -> None:
    attempts.clear()
    assert lucky() == 3
    assert attempts == [0, 1, 2]


def test_exhausted_retries_name_every_error(dbos: type[DBOS]) -> None:
    with pytest.raises(DBOSMaxStepRetriesExceeded) as raised:
        hopeless_workflow()
    assert [type(error) for error in raised.value.errors] == [KeyError, KeyError]


def test_should_retry_can_refuse_another_attempt(dbos: type[DBOS]) -> None:
    calls.clear()
    with pytest.raises(KeyError):
        choosy_workflow()
    assert calls.count("choosy") == 1


@DBOS.step()
async def double_later(number: int) -> int:
    await asyncio.sleep(0.001 * (10 - number))
    return number * 2


@DBOS.step(timeout_seconds=0.05)
async def endless() -> None:
    await asyncio.sleep(60)


@DBOS.workflow()
async def gathered(count: int) -> list[int]:
    return await asyncio.gather(*[double_later(number) for number in range(count)])


@DBOS.workflow()
async def impatient() -> str:
    try:
        await endless()
    except DBOSStepTimeoutError:
        return "gave up"
    return "never"


async def test_gathered_steps_are_numbered_in_the_order_they_are_written(dbos: type[DBOS]) -> None:
    with SetWorkflowID("w"):
        assert await gathered(5) == [0, 2, 4, 6, 8]
    steps = await DBOS.list_workflow_steps_async("w")
    assert [step["output"] for step in steps] == [0, 2, 4, 6, 8]


async def test_an_attempt_that_takes_too_long_is_ended(dbos: type[DBOS]) -> None:
    assert await impatient() == "gave up"


def test_what_cannot_be_recorded_fails_the_step_and_not_the_process(dbos: type[DBOS]) -> None:
    @DBOS.step()
    def unpicklable() -> Any:
        return lambda: None

    @DBOS.workflow()
    def hands_out_a_lambda() -> Any:
        return unpicklable()

    with pytest.raises((AttributeError, TypeError)):
        hands_out_a_lambda()
    assert doubles(1) == [0]


class Asked:
    """Passes calls on to the store, and keeps their names."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.names: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.names.add(name)
        return getattr(self._store, name)


def test_a_fresh_run_asks_the_database_nothing_between_its_steps(dbos: type[DBOS]) -> None:
    engine = current_engine.engine()
    engine.store = asked = Asked(engine.store)
    assert doubles(20) == [2 * number for number in range(20)]
    # What asks who owns a row is the shared check of all runs, on a thread of its own.
    assert asked.names <= {"owners"}
