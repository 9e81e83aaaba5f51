"""One budget for a stop, shared by all parts: it is kept whatever user code or the database do."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest

from dboshub import DBOS, SetWorkflowID
from dboshub.runtime.stop_budget import StopBudget
from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.sql import Statement

Launch = Callable[..., None]
# The budgets of these tests end within 2 s; what they must not wait for lasts until the test ends.
GENEROUS_S = 15
STATUS = Statement("SELECT status FROM {workflow_status} WHERE workflow_uuid = 'w'")
LOCKED = "LOCK TABLE dbos.workflow_status, dbos.dboshub_executor IN ACCESS EXCLUSIVE MODE"

test_has_ended = threading.Event()
runs = threading.Event()


@DBOS.workflow(name="stop.keeps_its_thread")
def keeps_its_thread() -> None:
    runs.set()
    test_has_ended.wait(60)


@DBOS.workflow(name="stop.keeps_its_task")
async def keeps_its_task() -> None:
    runs.set()
    while not test_has_ended.is_set():
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            continue


@pytest.fixture
def launched(launch: Launch) -> Iterator[None]:
    test_has_ended.clear()
    runs.clear()
    launch()
    yield
    test_has_ended.set()


def start(function: Callable[..., object]) -> None:
    queue = DBOS.register_queue("stopping")
    with SetWorkflowID("w"):
        queue.enqueue(function)
    assert runs.wait(20)


def destroy(**budget: float) -> float:
    began = time.monotonic()
    DBOS.destroy(**budget)
    return time.monotonic() - began


def status(url: str) -> str:
    with closing(open_database(url)) as database, database.reading() as session:
        found = session.one(STATUS)
        assert found is not None
        return str(found[0])


@contextmanager
def database_that_does_not_answer(url: str) -> Iterator[None]:
    """Every statement of the engine waits for the end of this block."""
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
    else:
        with psycopg.connect(url) as connection:
            connection.execute(LOCKED)
            yield
            connection.rollback()


@pytest.mark.parametrize("function", [keeps_its_thread, keeps_its_task])
def test_code_that_does_not_end_is_handed_back_within_the_budget(
    function: Callable[..., object], launched: None, database_url: str
) -> None:
    start(function)
    assert destroy(workflow_completion_timeout_sec=0.1, grace_period_sec=0.1) < GENEROUS_S
    assert not test_has_ended.is_set()
    assert status(database_url) == "ENQUEUED"


def test_a_database_that_does_not_answer_extends_no_budget(
    launched: None, database_url: str
) -> None:
    start(keeps_its_thread)
    with database_that_does_not_answer(database_url):
        assert destroy(grace_period_sec=0.2) < GENEROUS_S
        test_has_ended.set()


def test_the_first_task_that_is_not_answered_is_the_last_that_is_waited_for() -> None:
    budget, answered = StopBudget(0), threading.Event()
    began = time.monotonic()
    for _ in range(30):
        budget.within(lambda: answered.wait(60), "nothing was asked")
    took = time.monotonic() - began
    answered.set()
    assert took < GENEROUS_S


def test_a_task_that_fails_stops_no_stop(caplog: pytest.LogCaptureFixture) -> None:
    StopBudget(0).within(lambda: 1 / 0, "nothing was divided")
    assert "nothing was divided: division by zero" in caplog.text
