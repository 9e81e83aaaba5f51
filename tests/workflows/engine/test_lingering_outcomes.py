"""Outcomes that nobody waits for are committed together; whoever waits for one has it at once.

The time that they may wait is set to a minute here, which no test takes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dboshub import DBOS, Queue
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.journal import pending_queue
from dboshub.workflows.engine.journal.writes import OutcomeWrite, Write
from tests.support.eventually import eventually

Groups = list[list[Write]]
FREE = Queue("lingering-free")
LIMITED = Queue("lingering-limited", concurrency=1)


@DBOS.workflow()
def lingering(value: int) -> int:
    return value


@DBOS.workflow()
async def lingering_async(value: int) -> int:
    return value


@DBOS.workflow()
def lingering_failure() -> None:
    raise ValueError("no")


@DBOS.workflow()
def lingering_parent() -> int:
    return DBOS.start_workflow(lingering, 1).get_result() + lingering(2)


@pytest.fixture(autouse=True)
def a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_queue, "LINGER_S", 60.0)


@pytest.fixture
def groups(dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch) -> Groups:
    """The groups of outcomes that are committed, and nothing else of them."""
    journal, seen = current_engine.engine().journal, Groups()

    def recording(apply: Callable[..., Any]) -> Callable[..., Any]:
        def record(writes: list[Write], *, now: int) -> Any:
            outcomes = [each for each in writes if isinstance(each, OutcomeWrite)]
            seen.extend([outcomes] if outcomes else [])
            return apply(writes, now=now)

        return record

    for lane in (journal._main, journal._lingering):
        monkeypatch.setattr(lane.connection, "apply", recording(lane.connection.apply))
    return seen


def all_wait_for_their_outcomes(count: int) -> Callable[[], bool]:
    journal = current_engine.engine().journal
    return lambda: sum(each.lingers for each in journal._pending._writes) == count


def test_outcomes_that_nobody_waits_for_are_committed_together(groups: Groups) -> None:
    handles = [DBOS.start_workflow(lingering, each) for each in range(7)]
    eventually(all_wait_for_their_outcomes(7))
    assert groups == []
    assert [handle.get_result() for handle in handles] == [*range(7)]
    assert [len(each) for each in groups] == [7]


def test_a_start_does_not_wait_for_them(groups: Groups) -> None:
    first = DBOS.start_workflow(lingering, 1)
    eventually(all_wait_for_their_outcomes(1))
    second = DBOS.start_workflow(lingering, 2)
    eventually(all_wait_for_their_outcomes(2))
    assert (first.get_result(), second.get_result()) == (1, 2)


def test_a_start_is_committed_while_they_are(
    dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its caller commits it, and waits for no other thread."""
    monkeypatch.setattr(pending_queue, "LINGER_S", 0.0)
    connection = current_engine.engine().journal._lingering.connection
    apply, began, release = connection.apply, threading.Event(), threading.Event()
    too_late: list[bool] = []

    def held(writes: list[Write], *, now: int) -> Any:
        began.set()
        too_late.append(not release.wait(30))
        return apply(writes, now=now)

    monkeypatch.setattr(connection, "apply", held)
    first = DBOS.start_workflow(lingering, 1)
    assert began.wait(30)
    second = DBOS.start_workflow(lingering, 2)
    release.set()
    assert (first.get_result(), second.get_result()) == (1, 2)
    assert not any(too_late)


def test_who_waits_before_the_end_has_it_at_once(groups: Groups) -> None:
    release = threading.Event()

    @DBOS.workflow(name="lingering_held")
    def held() -> int:
        release.wait(30)
        return 3

    handle = DBOS.start_workflow(held)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(handle.get_result)
        waits = current_engine.engine().waits
        eventually(lambda: waits.is_waiting("result", handle.workflow_id))
        release.set()
        assert waiting.result(30) == 3


def test_a_caller_a_parent_and_a_coroutine_have_it_at_once(groups: Groups) -> None:
    assert lingering(4) == 4
    assert lingering_parent() == 3
    with pytest.raises(ValueError, match="no"):
        lingering_failure()


async def test_an_awaited_coroutine_has_it_at_once(groups: Groups) -> None:
    handle = await DBOS.start_workflow_async(lingering_async, 5)
    assert await handle.get_result() == 5
    assert await lingering_async(6) == 6


@pytest.mark.parametrize(("queue", "waits"), [(FREE, True), (LIMITED, False)])
def test_the_next_of_a_limited_queue_does_not_wait_for_them(
    queue: Queue, waits: bool, groups: Groups
) -> None:
    enqueued = [queue.enqueue(lingering, each) for each in range(3)]
    if waits:
        eventually(all_wait_for_their_outcomes(3))
    else:
        eventually(lambda: len(groups) == 3)
    assert [each.get_result() for each in enqueued] == [0, 1, 2]


def test_the_end_of_the_process_does_not_lose_them(
    dbos: type[DBOS], launch: Callable[..., None]
) -> None:
    handle = DBOS.start_workflow(lingering, 8)
    eventually(all_wait_for_their_outcomes(1))
    DBOS.destroy(grace_period_sec=5)
    launch()
    status = DBOS.retrieve_workflow(handle.workflow_id).get_status()
    assert (status.status, status.recovery_attempts) == ("SUCCESS", 1)


def test_a_full_group_does_not_wait(groups: Groups, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_queue, "MAX_GROUP_WRITES", 3)
    for each in range(3):
        DBOS.start_workflow(lingering, each)
    eventually(lambda: sum(map(len, groups)) == 3)


def test_a_handle_of_this_process_asks_the_database_for_nothing(
    groups: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = current_engine.engine().store
    asked: list[str] = []
    outcome = store.outcome
    monkeypatch.setattr(store, "outcome", lambda each: (asked.append(each), outcome(each))[1])
    handle = DBOS.start_workflow(lingering, 9)
    assert (handle.get_result(), handle.get_result()) == (9, 9)
    assert lingering_parent() == 3
    assert asked == []
    assert DBOS.retrieve_workflow(handle.workflow_id).get_result() == 9
    assert asked == [handle.workflow_id]
