"""What wakes a suspended workflow: a notice, the look after its row was written, or the walk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from dboshub import DBOS, SetWorkflowID
from dboshub.config import checked
from dboshub.runtime.lifecycle import Runtime
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.registration.registry import registry
from dboshub.workflows.engine.suspension.records import (
    EVENT,
    MUST_EXIST,
    RESULT,
    Departure,
    Suspended,
    WakeKey,
)
from dboshub.workflows.engine.suspension.waker import keys_of
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Statement
from dboshub.workflows.storage.suspension.store import SqlSuspensionStore
from tests.support.eventually import eventually
from tests.workflows.engine.suspension.conftest import Rows

DAY_S = 86_400
# As a foreign program writes it, which tells nobody.
WRITE_MESSAGE = Statement(
    "INSERT INTO {notifications} (message_uuid, destination_uuid, topic, message, serialization)"
    " VALUES ('m', 'w', 'letters', '\"hello\"', 'portable_json')"
)


@DBOS.workflow()
def woken_receiver() -> Any:
    return DBOS.recv("letters", DAY_S)


@DBOS.workflow()
def woken_parent(child: str) -> Any:
    try:
        return DBOS.retrieve_workflow(child).get_result()
    except Exception as error:
        return type(error).__name__


@DBOS.workflow()
def woken_sleeper() -> None:
    DBOS.sleep(DAY_S)


def start(function: Any, *args: Any, workflow_id: str = "w") -> Any:
    with SetWorkflowID(workflow_id):
        return DBOS.start_workflow(function, *args)


class Port:
    """The port of suspended workflows, some calls of which are others."""

    def __init__(self, real: SqlSuspensionStore, **others: Callable[..., Any]) -> None:
        self._real = real
        self._others = others

    def __getattr__(self, name: str) -> Any:
        return self._others.get(name) or getattr(self._real, name)


@contextmanager
def running(url: str, replace: Callable[[SqlSuspensionStore], Any]) -> Iterator[None]:
    """A launched engine whose port of suspended workflows is another one."""
    given: Any = {
        "name": "test-app",
        "system_database_url": url,
        "suspend_after_sec": 0.05,
        "use_listen_notify": False,
    }

    def wrap(port: Any) -> Any:
        return replace(port) if isinstance(port, SqlSuspensionStore) else port

    runtime = Runtime(checked(given), registry, None, wrap_storage=wrap)
    runtime.start()
    try:
        yield
    finally:
        runtime.stop(completion_timeout=0, grace=2)


def write_message(database: Database) -> None:
    with database.writing() as session:
        session.run(WRITE_MESSAGE)


def test_a_message_that_nobody_told_of_is_found_by_the_walk(
    database: Database, database_url: str, rows: Rows
) -> None:
    with running(database_url, lambda real: real):
        handle = start(woken_receiver)
        rows.await_suspended("w")
        write_message(database)
        assert handle.get_result() == "hello"


def test_a_message_that_arrives_as_the_workflow_leaves_is_not_lost(
    database: Database, database_url: str
) -> None:
    """It is written after the last check in memory, and before the row; and nobody walks."""

    def replace(real: SqlSuspensionStore) -> Any:
        def suspend(departures: Sequence[Departure], *, now: int) -> Suspended:
            write_message(database)
            return real.suspend(departures, now=now)

        return Port(real, suspend=suspend, waits_after=lambda last, most: [])

    with running(database_url, replace):
        assert start(woken_receiver).get_result() == "hello"


def test_a_row_that_the_database_refuses_keeps_no_other_one_in_memory(
    database_url: str, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    def replace(real: SqlSuspensionStore) -> Any:
        def suspend(departures: Sequence[Departure], *, now: int) -> Suspended:
            if any(each.workflow_id == "bad" for each in departures):
                raise ValueError("refused")
            return real.suspend(departures, now=now)

        return Port(real, suspend=suspend)

    with running(database_url, replace):
        ids = ["a", "bad", "c", "d"]
        for each in ids:
            start(woken_sleeper, workflow_id=each)
        for each in ("a", "c", "d"):
            rows.await_suspended(each)
        eventually(lambda: current_engine.engine().executions.find("bad") is None)
        assert rows.of("bad")["status"] == "PENDING"
    assert "Workflow bad is not suspended" in caplog.text


@pytest.mark.usefixtures("suspending")
def test_the_deletion_of_an_awaited_workflow_wakes_who_waits_for_it(rows: Rows) -> None:
    start(woken_sleeper, workflow_id="child")
    rows.await_suspended("child")
    handle = start(woken_parent, "child")
    rows.await_suspended("w")
    DBOS.delete_workflow("child")
    assert handle.get_result() == "DBOSNonExistentWorkflowError"


@pytest.mark.usefixtures("suspending")
def test_the_cancellation_of_an_awaited_workflow_wakes_who_waits_for_it(rows: Rows) -> None:
    start(woken_sleeper, workflow_id="child")
    rows.await_suspended("child")
    handle = start(woken_parent, "child")
    rows.await_suspended("w")
    DBOS.cancel_workflow("child")
    assert handle.get_result() == "DBOSAwaitedWorkflowCancelledError"


def test_a_drained_process_leaves_its_sleepers_as_they_are(
    launch: Callable[..., None], rows: Rows
) -> None:
    launch(suspend_after_sec=0.05)
    start(woken_sleeper)
    before = rows.await_suspended("w")
    DBOS.destroy()
    assert rows.of("w") == before
    launch(suspend_after_sec=0.05)
    assert rows.of("w") == before


def test_a_notice_may_mean_each_of_its_readings() -> None:
    assert [*keys_of(EVENT, "a::b::c")] == [
        WakeKey(EVENT, "a", "b::c"),
        WakeKey(EVENT, "a::b", "c"),
    ]
    assert [*keys_of(EVENT, "a:::b")] == [
        WakeKey(EVENT, "a", ":b"),
        WakeKey(EVENT, "a:", "b"),
    ]
    assert [*keys_of(RESULT, "a::b")] == [
        WakeKey(RESULT, "a::b"),
        WakeKey(RESULT, "a::b", MUST_EXIST),
    ]
