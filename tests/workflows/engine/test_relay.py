"""Threads whose writes were committed together wake one after the other, and none is forgotten."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from dboshub import DBOS
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.journal.pending_write import PendingWrite
from dboshub.workflows.engine.journal.relay import Relay
from dboshub.workflows.engine.journal.writes import DONE, Answer, StepWrite
from tests.support.eventually import eventually

WRITE = StepWrite(workflow_id="relayed", owner="owner", function_id=1, name="step")


@DBOS.step()
def relayed_step(number: int) -> int:
    return number


@DBOS.workflow()
def relayed_workflow(number: int) -> int:
    return relayed_step(number)


def settled_writes(count: int) -> list[PendingWrite]:
    """Writes of other threads than this one."""

    def settled() -> PendingWrite:
        return PendingWrite(WRITE).settle(DONE)

    with ThreadPoolExecutor(1) as pool:
        return [pool.submit(settled).result() for _ in range(count)]


def woken(writes: list[PendingWrite]) -> int:
    return sum(not each._gate.locked() for each in writes if each._gate is not None)


def test_a_thread_wakes_the_next_one() -> None:
    relay, writes = Relay(), settled_writes(3)
    relay.deliver(writes)
    for count, write in enumerate(writes, 1):
        assert (woken(writes), relay.is_under_way) == (1, count < 3)
        assert write.block() == DONE
    assert woken(writes) == 0


def test_the_threads_that_are_left_can_be_woken_at_once() -> None:
    relay, writes, more = Relay(), settled_writes(3), settled_writes(2)
    relay.deliver(writes)
    relay.deliver(more)
    assert (woken(writes), woken(more)) == (3, 1)
    relay.finish()
    assert (woken(more), relay.is_under_way) == (2, False)


def test_the_main_thread_keeps_no_other_one_waiting() -> None:
    relay, mine, writes = Relay(), PendingWrite(WRITE).settle(DONE), settled_writes(2)
    relay.deliver([mine, *writes])
    assert (woken([mine]), woken(writes)) == (1, 1)
    writes[0].block()
    assert woken(writes) == 1
    assert mine.on_woken is None


@pytest.mark.parametrize("is_broken", [False, True])
def test_every_thread_goes_on(
    is_broken: bool, dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if no thread wakes the next one, as when the interpreter is busy otherwise."""
    journal = current_engine.engine().journal
    if is_broken:

        def block(write: PendingWrite) -> Answer:
            assert write._gate is not None
            write._gate.acquire()
            return write._result()

        monkeypatch.setattr(PendingWrite, "block", block)
    with ThreadPoolExecutor(8) as pool:
        with journal._main.lock:
            calls = [pool.submit(relayed_workflow, each) for each in range(8)]
            eventually(lambda: len(journal.admission) == 8)
        assert [call.result(30) for call in calls] == [*range(8)]


def test_an_interrupted_wait_keeps_no_other_one_waiting(dbos: type[DBOS]) -> None:
    """The interrupt is raised where a signal raises it: in the main thread, which waits."""
    journal = current_engine.engine().journal

    def interrupt() -> None:
        eventually(lambda: len(journal.admission) == 4)
        os.kill(os.getpid(), signal.SIGINT)

    with ThreadPoolExecutor(4) as pool:
        journal._main.lock.acquire()
        calls = [pool.submit(relayed_workflow, each) for each in range(3)]
        eventually(lambda: len(journal.admission) == 3)
        pool.submit(interrupt)
        try:
            with pytest.raises(KeyboardInterrupt):
                relayed_workflow(4)
        finally:
            journal._main.lock.release()
        assert [call.result(30) for call in calls] == [*range(3)]
