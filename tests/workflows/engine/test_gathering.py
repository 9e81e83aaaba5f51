"""A group waits a moment for the next writes of those whose writes were committed last.

The moment is set to a minute here, which no test takes, or to nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from dboshub.workflows.engine.journal import gathering
from dboshub.workflows.engine.journal.pending_queue import PendingQueue
from dboshub.workflows.engine.journal.pending_write import PendingWrite
from dboshub.workflows.engine.journal.relay import Relay
from dboshub.workflows.engine.journal.writes import StepWrite
from tests.support.eventually import eventually


class Committer:
    """Takes groups from a queue, as the journal's committer does."""

    def __init__(self) -> None:
        self.mutex = threading.Lock()
        self.queue = PendingQueue(self.mutex, Relay())
        self.is_closing = False
        self.numbers = iter(range(1_000))

    def put(self, count: int) -> None:
        for _ in range(count):
            write = StepWrite(
                workflow_id="gathered", owner="owner", function_id=next(self.numbers), name="step"
            )
            with self.mutex:
                self.queue.put(PendingWrite(write))

    def take(self) -> int:
        """How many writes the next group has."""
        with self.mutex:
            self.queue.wait(lambda: self.is_closing, lambda: self.is_closing)
            return len(self.queue.take_group())

    def take_meanwhile(self, pool: ThreadPoolExecutor, wanted: int) -> Future[int]:
        """The same on another thread, which waits for so many writes when this returns."""
        taken = pool.submit(self.take)
        eventually(lambda: self.queue._gathering.wanted == wanted)
        return taken


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as opened:
        yield opened


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    def is_now(seconds: float) -> None:
        monkeypatch.setattr(gathering, "PART", 1e9)
        monkeypatch.setattr(gathering, "MOST_S", seconds)

    is_now(60.0)
    return is_now


def test_a_group_waits_for_the_writers_of_the_last_one(
    pool: ThreadPoolExecutor, moment: Callable[[float], None]
) -> None:
    committer = Committer()
    committer.put(3)
    assert committer.take() == 3
    committer.put(2)
    taken = committer.take_meanwhile(pool, wanted=5)
    committer.put(2)
    assert not taken.done()
    committer.put(1)
    assert taken.result(30) == 5


def test_a_single_writer_waits_for_nobody_and_commits_by_itself(
    moment: Callable[[float], None],
) -> None:
    committer = Committer()
    for count, must_queue in ((1, False), (2, True)):
        committer.put(count)
        assert committer.take() == count
        assert committer.queue.must_queue is must_queue
    moment(0.0)
    committer.put(1)
    assert committer.take() == 1
    assert not committer.queue.must_queue


def test_after_a_wait_in_vain_the_next_groups_do_not_wait(moment: Callable[[float], None]) -> None:
    committer = Committer()
    committer.put(4)
    committer.take()
    moment(0.001)
    committer.put(1)
    assert committer.take() == 1
    moment(60.0)
    for _ in range(gathering.SKIPPED):
        committer.put(2)
        assert committer.take() == 2


def test_the_end_of_the_journal_ends_the_wait(
    pool: ThreadPoolExecutor, moment: Callable[[float], None]
) -> None:
    committer = Committer()
    committer.put(2)
    committer.take()
    committer.put(1)
    taken = committer.take_meanwhile(pool, wanted=3)
    with committer.mutex:
        committer.is_closing = True
        committer.queue.wake_all()
    assert taken.result(30) == 1
