"""Which workflows leave memory, what their rows say then, and how they go on."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Any

import pytest

from dboshub import DBOS, Queue, SetWorkflowID, SetWorkflowTimeout
from dboshub.error import DBOSAwaitedWorkflowCancelledError
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.runtime.history import HISTORY_AT_ONCE
from dboshub.workflows.storage.journal.history import HISTORIES, HISTORY
from tests.support.eventually import eventually
from tests.support.statements import Statements
from tests.workflows.engine.calls import Calls
from tests.workflows.engine.suspension.conftest import Rows

pytestmark = pytest.mark.usefixtures("suspending")

DAY_S = 86_400
calls = Calls()
gate = threading.Event()
unlimited = Queue("suspension-unlimited")
limited = Queue("suspension-limited", worker_concurrency=2)


@pytest.fixture(autouse=True)
def fresh() -> None:
    calls.clear()
    gate.clear()


@DBOS.step()
def mark(name: str) -> str:
    calls.note(name)
    return name


@DBOS.workflow()
def leaving_sleeper() -> list[str]:
    first = mark("first")
    DBOS.sleep(DAY_S)
    return [first, mark("last")]


@DBOS.workflow()
async def async_sleeper() -> list[str]:
    first = mark("first")
    await DBOS.sleep_async(DAY_S)
    return [first, mark("last")]


@DBOS.workflow()
def leaving_story(steps: int) -> int:
    for number in range(steps):
        mark(f"{number}")
    DBOS.sleep(DAY_S)
    mark("last")
    return steps


@DBOS.workflow(suspend=False)
def stays() -> None:
    mark("first")
    DBOS.sleep(DAY_S)


@DBOS.workflow(suspend=True)
def always_leaves() -> str:
    DBOS.sleep(DAY_S)
    return "done"


@DBOS.workflow()
def leaving_receiver(timeout: float = DAY_S) -> Any:
    mark("first")
    return DBOS.recv("letters", timeout)


@DBOS.workflow()
async def async_receiver() -> Any:
    return await DBOS.recv_async("letters", DAY_S)


@DBOS.workflow()
def leaving_reader(other: str) -> Any:
    return DBOS.get_event(other, "price", DAY_S)


@DBOS.workflow()
def priced() -> None:
    gate.wait(30)
    DBOS.set_event("price", 7)


@DBOS.workflow()
def leaving_gated() -> str:
    gate.wait(30)
    return "child's"


@DBOS.workflow()
def leaving_parent() -> str:
    return "parent of " + DBOS.start_workflow(leaving_gated).get_result()


@DBOS.workflow()
def first_of_two() -> str:
    handles = [DBOS.start_workflow(leaving_gated), DBOS.start_workflow(leaving_gated)]
    return str(DBOS.wait_first(handles).get_result())


@DBOS.workflow()
def caller() -> list[str]:
    return [*leaving_sleeper(), mark("called")]


@DBOS.workflow()
async def branching() -> list[str]:
    sleeping = asyncio.create_task(DBOS.sleep_async(DAY_S))
    working = asyncio.create_task(asyncio.sleep(0.4))
    mark("first")
    await DBOS.sleep_async(0.2)
    await working
    sleeping.cancel()
    return [mark("last")]


@DBOS.workflow()
async def waits_beside_a_task() -> str:
    async def soon() -> None:
        await asyncio.sleep(0.3)
        await DBOS.set_event_async("soon", True)

    task = asyncio.create_task(soon())
    await DBOS.sleep_async(DAY_S)
    await task
    return "done"


@DBOS.workflow()
def swallows() -> str:
    try:
        DBOS.sleep(DAY_S)
    except BaseException:
        mark("swallowed")
    return mark("last")


def start(function: Any, *args: Any, workflow_id: str = "w") -> Any:
    with SetWorkflowID(workflow_id):
        return DBOS.start_workflow(function, *args)


@pytest.mark.parametrize("function", [leaving_sleeper, async_sleeper])
def test_a_long_sleep_leaves_memory_and_goes_on_when_it_is_over(function: Any, rows: Rows) -> None:
    handle = start(function)
    row = rows.await_suspended("w")
    assert (row["owner"], row["queue"], row["attempts"]) == (None, "_dbos_internal_queue", 0)
    assert row["started_at"] is not None
    left_ms = row["until"] - current_engine.engine().clock.now_ms()
    assert DAY_S - 60 < left_ms / 1000 <= DAY_S
    rows.end_sleep("w")
    assert handle.get_result() == ["first", "last"]
    assert (calls.count("first"), calls.count("last")) == (1, 1)
    assert rows.of("w")["attempts"] == 1


@pytest.mark.parametrize("steps", [HISTORY_AT_ONCE - 2, HISTORY_AT_ONCE - 1, HISTORY_AT_ONCE + 5])
def test_a_replay_runs_no_step_again_however_many_there_are(steps: int, rows: Rows) -> None:
    handle = start(leaving_story, steps)
    rows.await_suspended("w")
    rows.end_sleep("w")
    assert handle.get_result() == steps
    assert len(calls.noted) == steps + 1


def test_workflows_that_wake_together_read_their_checkpoints_together(rows: Rows) -> None:
    ids = [f"w{number}" for number in range(8)]
    handles = [start(leaving_sleeper, workflow_id=each) for each in ids]
    for each in ids:
        rows.await_suspended(each)
    with Statements() as statements:
        rows.end_sleep(*ids)
        assert [each.get_result() for each in handles] == [["first", "last"]] * 8
    text = rows.database.dialect.text
    if rows.database.vendor == "postgresql":
        assert statements.texts.count(text(HISTORIES)) >= 1
        assert statements.texts.count(text(HISTORY)) == 0
    else:  # a statement costs no round trip
        assert statements.texts.count(text(HISTORY)) == 8


def test_a_replay_before_the_time_sleeps_for_the_rest(rows: Rows) -> None:
    start(leaving_sleeper)
    until = rows.await_suspended("w")["until"]
    DBOS.resume_workflow("w")
    eventually(lambda: rows.of("w")["attempts"] == 0 and rows.of("w")["status"] == "DELAYED")
    assert rows.await_suspended("w")["until"] == until
    assert calls.count("last") == 0


def test_a_workflow_that_opts_out_stays(rows: Rows) -> None:
    start(stays)
    start(leaving_sleeper, workflow_id="other")
    rows.await_suspended("other")
    assert rows.of("w")["status"] == "PENDING"


def test_a_workflow_of_a_queue_with_limits_stays_unless_it_says_otherwise(rows: Rows) -> None:
    for queue, function, name in (
        (limited, leaving_sleeper, "stays"),
        (limited, always_leaves, "says"),
        (unlimited, leaving_sleeper, "free"),
    ):
        with SetWorkflowID(name):
            queue.enqueue(function)
    assert rows.await_suspended("free")["queue"] == "suspension-unlimited"
    assert rows.await_suspended("says")["queue"] == "suspension-limited"
    eventually(lambda: calls.count("first") == 2)
    assert rows.of("stays")["status"] == "PENDING"


@pytest.mark.parametrize("function", [leaving_receiver, async_receiver])
def test_a_message_wakes_its_receiver(function: Any, rows: Rows) -> None:
    handle = start(function)
    rows.await_suspended("w")
    DBOS.send("w", "hello", "letters")
    assert handle.get_result() == "hello"


def test_a_message_of_another_topic_wakes_nobody(rows: Rows) -> None:
    start(leaving_receiver)
    start(leaving_receiver, workflow_id="other")
    rows.await_suspended("w")
    rows.await_suspended("other")
    DBOS.send("w", "hello", "bills")
    DBOS.send("other", "hello", "letters")
    assert DBOS.get_result("other") == "hello"
    assert rows.of("w")["status"] == "DELAYED"


def test_an_event_wakes_who_waits_for_it(rows: Rows) -> None:
    handle = start(leaving_reader, "source")
    rows.await_suspended("w")
    start(priced, workflow_id="source")
    gate.set()
    assert handle.get_result() == 7


@pytest.mark.parametrize("function", [leaving_parent, first_of_two])
def test_the_end_of_a_child_wakes_its_parent(function: Any, rows: Rows) -> None:
    handle = start(function)
    rows.await_suspended("w")
    gate.set()
    assert handle.get_result().endswith("child's")


def test_a_child_that_is_called_leaves_and_its_parent_with_it(rows: Rows) -> None:
    handle = start(caller)
    rows.await_suspended("w-1")
    rows.await_suspended("w")
    rows.end_sleep("w-1")
    assert handle.get_result() == ["first", "last", "called"]
    assert calls.count("first") == 1


def test_a_direct_call_from_outside_stays(rows: Rows) -> None:
    def call() -> None:
        with suppress(DBOSAwaitedWorkflowCancelledError):
            leaving_sleeper()

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    eventually(lambda: calls.count("first") == 1)
    start(leaving_sleeper)
    rows.await_suspended("w")
    running = [*current_engine.engine().executions]
    assert len(running) == 1
    DBOS.cancel_workflow(running[0].workflow_id)
    thread.join(10)


@pytest.mark.parametrize("function", [branching, waits_beside_a_task])
def test_a_body_with_other_tasks_stays_until_they_have_ended(function: Any, rows: Rows) -> None:
    handle = start(function)
    if function is branching:
        assert handle.get_result() == ["last"]
        return
    assert DBOS.get_event("w", "soon", 10) is True
    rows.await_suspended("w")


def test_a_body_that_swallows_its_end_has_no_outcome(rows: Rows) -> None:
    handle = start(swallows)
    rows.await_suspended("w")
    assert calls.count("last") == 0
    rows.end_sleep("w")
    assert handle.get_result() == "last"


def test_a_cancelled_sleeper_never_wakes(rows: Rows) -> None:
    start(leaving_sleeper)
    rows.await_suspended("w")
    DBOS.cancel_workflow("w")
    assert rows.of("w")["status"] == "CANCELLED"


def test_a_deadline_ends_a_sleeper(rows: Rows) -> None:
    with SetWorkflowTimeout(1.5):
        start(leaving_sleeper)
    rows.await_suspended("w")
    eventually(lambda: rows.of("w")["status"] == "CANCELLED")


def test_a_fork_of_a_sleeper_sleeps_for_the_rest(rows: Rows) -> None:
    start(leaving_sleeper)
    until = rows.await_suspended("w")["until"]
    fork = DBOS.fork_workflow("w", 3).workflow_id
    assert rows.await_suspended(fork)["until"] == until


def test_set_workflow_delay_does_not_change_a_sleep(rows: Rows) -> None:
    start(leaving_sleeper)
    until = rows.await_suspended("w")["until"]
    DBOS.set_workflow_delay("w", delay_seconds=0)
    assert rows.of("w")["until"] == until
