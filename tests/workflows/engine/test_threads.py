"""The threads of workflows: as many as block, few for what is short, and none is waited for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from dboshub import DBOS
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.journal import pending_queue
from dboshub.workflows.engine.runtime.threads import Threads
from tests.support.eventually import eventually


@DBOS.workflow()
def threads_short() -> str:
    return threading.current_thread().name


@contextmanager
def running(limit: int) -> Iterator[Threads]:
    threads = Threads("tested", limit)
    try:
        yield threads
    finally:
        threads.stop()
        assert threads.join(10)


def test_tasks_that_block_get_a_thread_each() -> None:
    all_there = threading.Barrier(41)
    with running(100) as threads:
        for _ in range(40):
            threads.submit(lambda: all_there.wait(30) and None)
        all_there.wait(30)
        assert len(threads._threads) >= 40


def test_short_tasks_need_few_threads() -> None:
    done = threading.Semaphore(0)
    with running(100) as threads:
        for _ in range(500):
            threads.submit(lambda: done.release())
        for _ in range(500):
            assert done.acquire(timeout=30)
        assert len(threads._threads) < 50


def test_at_the_limit_a_task_waits_for_a_thread() -> None:
    gate, done = threading.Event(), list[int]()

    def note(number: int) -> None:
        gate.wait(30)
        done.append(number)

    with running(2) as threads:
        for each in range(5):
            threads.submit(partial(note, each))
        gate.set()
        eventually(lambda: sorted(done) == [0, 1, 2, 3, 4])
        assert len(threads._threads) == 2


def test_what_is_submitted_before_the_end_is_run() -> None:
    gate, done = threading.Event(), list[int]()
    threads = Threads("tested", 1)
    threads.submit(lambda: gate.wait(30) and None)
    threads.submit(lambda: done.append(1))
    threads.stop()
    gate.set()
    assert threads.join(10)
    assert done == [1]


def test_tasks_that_many_threads_submit_at_once_run_once_each() -> None:
    done = list[int]()
    with running(3) as threads:

        def submit(first: int) -> None:
            for each in range(first, first + 1_000):
                threads.submit(partial(done.append, each), lambda shortage: None)

        with ThreadPoolExecutor(8) as submitters:
            [*submitters.map(submit, range(0, 8_000, 1_000))]
        eventually(lambda: len(done) >= 8_000)
    assert sorted(done) == [*range(8_000)]


def test_a_task_whose_turn_finds_no_thread_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    started, gate = list[Any](), threading.Event()
    start = threading.Thread.start

    def start_two(thread: threading.Thread) -> None:
        if len(started) >= 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    refused = list[BaseException]()
    with running(100) as threads:
        monkeypatch.setattr(threading.Thread, "start", start_two)
        for _ in range(6):
            threads.submit(lambda: gate.wait(30) and None, refused.append)
        eventually(lambda: len(refused) == 4)
        gate.set()
    assert all(isinstance(each, RuntimeError) for each in refused)


def test_a_thread_does_not_wait_until_an_outcome_is_durable(
    dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_queue, "LINGER_S", 60.0)
    engine = current_engine.engine()
    handles = [DBOS.start_workflow(threads_short)]
    for _ in range(20):
        eventually(lambda: engine.threads._idle == len(engine.threads._threads))
        handles.append(DBOS.start_workflow(threads_short))
    assert len({handle.get_result() for handle in handles}) == 1
