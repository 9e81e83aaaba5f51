"""Draining is control flow: what a body meets while its process stops is never its outcome."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from dboshub import DBOS, SetWorkflowID
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.errors import DBOSException, ExecutionInterrupted
from tests.support.eventually import eventually

Launch = Callable[..., None]

reached = threading.Event()
go_on = threading.Event()
ending = threading.Event()


def wait_for_the_drain() -> None:
    """User code between two durable drain_calls."""
    reached.set()
    assert go_on.wait(20)


@DBOS.workflow()
def drain_child(value: int) -> int:
    return value


@DBOS.workflow()
async def drain_child_async(value: int) -> int:
    return value


@DBOS.workflow()
def drain_starts() -> int:
    wait_for_the_drain()
    return DBOS.start_workflow(drain_child, 1).get_result()


@DBOS.workflow()
def drain_calls() -> int:
    wait_for_the_drain()
    return drain_child(1)


@DBOS.workflow()
def drain_enqueues() -> int:
    wait_for_the_drain()
    return DBOS.enqueue_workflow("drained", drain_child, 1).get_result()


@DBOS.workflow()
def drain_enqueues_by_name() -> int:
    wait_for_the_drain()
    options = {"queue_name": "drained", "workflow_name": drain_child.__qualname__}
    found: int = DBOS.enqueue_workflow_with_options(options, 1).get_result()  # type: ignore[arg-type]
    return found


@DBOS.workflow()
async def drain_calls_async() -> int:
    await asyncio.to_thread(wait_for_the_drain)
    return await drain_child_async(1)


@DBOS.workflow()
async def drain_gathers() -> int:
    await asyncio.to_thread(wait_for_the_drain)
    first, second = await asyncio.gather(drain_child_async(0), drain_child_async(1))
    return first + second


@DBOS.workflow()
def drain_swallows() -> int:
    wait_for_the_drain()
    with suppress(BaseException):
        return drain_child(1)
    return -1


@DBOS.workflow()
def drain_replaces() -> int:
    wait_for_the_drain()
    try:
        return drain_child(1)
    except BaseException as error:
        raise ValueError("the drain_child failed") from error


WORKFLOWS = (
    drain_starts,
    drain_calls,
    drain_enqueues,
    drain_enqueues_by_name,
    drain_calls_async,
    drain_gathers,
    drain_swallows,
    drain_replaces,
)


@contextmanager
def destroyed(grace: float = 20) -> Iterator[None]:
    """Destroy on another thread; the block runs once the engine drains."""
    engine = current_engine.engine()
    destroying = threading.Thread(target=DBOS.destroy, kwargs={"grace_period_sec": grace})
    destroying.start()
    try:
        eventually(lambda: engine.is_draining)
        yield
    finally:
        go_on.set()
        destroying.join(30)


@pytest.fixture(autouse=True)
def closed_gates() -> Iterator[None]:
    for gate in (reached, go_on, ending):
        gate.clear()
    yield
    go_on.set()


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda each: each.__qualname__)
def test_a_workflow_that_starts_another_while_draining_is_handed_back(
    workflow: Callable[..., object], launch: Launch
) -> None:
    launch()
    DBOS.register_queue("drained")
    with SetWorkflowID("w"):
        DBOS.start_workflow(workflow)
    assert reached.wait(10)
    with destroyed():
        pass
    launch()
    found = DBOS.retrieve_workflow("w")
    assert found.get_result() == 1
    status = found.get_status()
    assert (status.status, status.recovery_attempts) == ("SUCCESS", 1)


def test_who_is_outside_a_workflow_still_hears_that_it_stops(launch: Launch) -> None:
    launch()
    with SetWorkflowID("w"):
        DBOS.start_workflow(drain_starts)
    assert reached.wait(10)
    with destroyed(), pytest.raises(DBOSException, match="DBOS is stopping"):
        DBOS.start_workflow(drain_child, 1)


met: list[BaseException] = []


@DBOS.step()
def drain_outlasts_its_engine() -> None:
    reached.set()
    assert go_on.wait(20)
    try:
        DBOS.get_event("w", "never", timeout_seconds=60)
    except BaseException as error:
        met.append(error)
        raise
    finally:
        ending.set()


@DBOS.workflow()
def drain_has_a_step_that_outlasts_its_engine() -> None:
    drain_outlasts_its_engine()


@pytest.mark.parametrize("relaunches", [False, True])
def test_a_step_that_outlasts_its_engine_meets_control_flow(
    launch: Launch, relaunches: bool
) -> None:
    launch()
    met.clear()
    with SetWorkflowID("w"):
        DBOS.start_workflow(drain_has_a_step_that_outlasts_its_engine)
    assert reached.wait(10)
    DBOS.destroy(grace_period_sec=0)
    if relaunches:
        launch(application_version="another, so that nothing is claimed")
    go_on.set()
    assert ending.wait(10)
    assert [type(each) for each in met] == [ExecutionInterrupted]


@DBOS.step()
def drain_fails_when_all_is_closed() -> None:
    reached.set()
    assert go_on.wait(20)
    raise ConnectionError("the pool is closed")


@DBOS.workflow()
def drain_fails_late() -> None:
    drain_fails_when_all_is_closed()


def test_an_error_after_the_hand_back_is_not_recorded(launch: Launch) -> None:
    launch()
    with SetWorkflowID("w"):
        DBOS.start_workflow(drain_fails_late)
    assert reached.wait(10)
    engine = current_engine.engine()
    closing = engine.journal.close

    def close(timeout: float) -> None:
        go_on.set()  # what is closed before the journal makes a step fail
        eventually(lambda: not engine.executions)
        closing(timeout)

    engine.journal.close = close  # type: ignore[method-assign]
    DBOS.destroy(grace_period_sec=0)
    launch(application_version="another, so that nothing is claimed")
    assert DBOS.retrieve_workflow("w").get_status().status == "ENQUEUED"
    assert DBOS.list_workflow_steps("w") == []
