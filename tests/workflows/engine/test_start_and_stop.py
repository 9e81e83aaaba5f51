"""Starting and stopping a runtime whose parts fail: nothing is left open, claimed work is free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import psycopg
import pytest

from dboshub import DBOS, SetWorkflowID
from dboshub.queues.engine.dispatcher import Dispatcher
from dboshub.queues.engine.maintenance import Maintenance
from dboshub.queues.kafka_listener import Listeners
from dboshub.schedules.engine.ticker import Ticker
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.errors import DBOSInitializationError
from dboshub.workflows.engine.membership.heartbeat import HeartbeatLoop
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.waiting import wakeups
from dboshub.workflows.engine.waiting.notices import STATUS, Notice
from dboshub.workflows.engine.waiting.wakeups import Wakeups
from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.sql import Statement
from dboshub.workflows.storage.waiting.notifier import PostgresNotifier
from tests.support.eventually import eventually
from tests.support.leaks import assert_no_thread_but, threads

Launch = Callable[..., None]

ROW = Statement("SELECT status, owner_xid FROM {workflow_status} WHERE workflow_uuid = :id")
LIVE = Statement(
    "SELECT COUNT(*) FROM {dboshub_executor} WHERE stopped_at IS NULL AND declared_dead_at IS NULL"
)
END_ALL = """
    SELECT pg_terminate_backend(pid)
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
# In the order in which they stop.
STOPPED = (
    (Listeners, "stop"),
    (Ticker, "stop"),
    (Dispatcher, "stop"),
    (Maintenance, "stop"),
    (Engine, "close"),
    (Wakeups, "stop"),
    (HeartbeatLoop, "stop"),
)
STARTED = ("heartbeat", "wakeups", "maintenance", "dispatcher", "ticker")


class PartError(Exception):
    """What a failing part raises."""


@DBOS.step()
async def wait_in_step() -> None:
    await asyncio.sleep(60)


@DBOS.workflow()
async def waits_in_its_step() -> None:
    await DBOS.set_event_async("running", True)
    await wait_in_step()


@DBOS.workflow()
def answers_at_once() -> str:
    return "answered"


def raising_after(call: Callable[..., Any] | None) -> Callable[..., Any]:
    def fail(*args: Any, **kwargs: Any) -> Any:
        if call is not None:
            call(*args, **kwargs)
        raise PartError

    return fail


def read(url: str, statement: Statement, **params: Any) -> Any:
    database = open_database(url)
    try:
        with database.reading() as session:
            return session.one(statement, **params)
    finally:
        database.close()


def run_held() -> None:
    with SetWorkflowID("w"):
        DBOS.start_workflow(waits_in_its_step)
    assert DBOS.get_event("w", "running", 10)


@pytest.mark.parametrize(("part", "stop"), STOPPED)
def test_a_part_that_fails_to_stop_never_keeps_claimed_work(
    part: type, stop: str, launch: Launch, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, stop, raising_after(getattr(part, stop)))
    launch()
    run_held()
    # A heartbeat whose end is not recorded is no error: its lease expires.
    with nullcontext() if part is HeartbeatLoop else pytest.raises(PartError):
        DBOS.destroy(grace_period_sec=0)
    assert tuple(read(database_url, ROW, id="w")) == ("ENQUEUED", None)
    assert tuple(read(database_url, LIVE)) == (0,)
    assert not current_engine.is_launched()


def test_the_drain_that_is_interrupted_still_hands_work_back(
    launch: Launch, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch()
    run_held()

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(DBOS._runtime, "_await_idle", interrupt)
    with pytest.raises(KeyboardInterrupt):
        DBOS.destroy()
    assert tuple(read(database_url, ROW, id="w")) == ("ENQUEUED", None)


@pytest.mark.parametrize("part", STARTED)
def test_a_start_that_fails_midway_leaves_nothing_behind(
    part: str, launch: Launch, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dboshub.runtime.lifecycle import Runtime

    before = threads()
    make_parts = Runtime._make_parts

    def make_failing_parts(runtime: Runtime, *args: Any) -> None:
        make_parts(runtime, *args)
        getattr(runtime, part).start = raising_after(None)

    with monkeypatch.context() as failing:
        failing.setattr(Runtime, "_make_parts", make_failing_parts)
        with pytest.raises(PartError):
            launch()
    assert_no_thread_but(before)
    assert not current_engine.is_launched()
    assert tuple(read(database_url, LIVE)) == (0,)
    launch()
    assert answers_at_once() == "answered"


def test_the_error_of_a_failed_launch_is_the_one_that_is_raised(
    launch: Launch, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Maintenance, "stop", raising_after(Maintenance.stop))
    before = threads()
    with pytest.raises(DBOSInitializationError, match="admin_token"):
        launch(admin_token="short")
    assert "one of its parts did not stop" in caplog.text
    assert_no_thread_but(before)


def test_parts_that_cannot_be_made_close_what_was_opened(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dboshub.runtime.lifecycle import Runtime

    monkeypatch.setattr(Runtime, "_new_scheduling", raising_after(None))
    before = threads()
    with pytest.raises(PartError):
        launch()
    assert_no_thread_but(before)
    assert DBOS._runtime is None


def test_the_end_is_recorded_although_the_server_ended_every_session(
    postgres_url: str, plain_script: None
) -> None:
    DBOS(config={"name": "test-app", "system_database_url": postgres_url})
    DBOS.launch()
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(END_ALL)
    DBOS.destroy()
    assert tuple(read(postgres_url, LIVE)) == (0,)


def test_the_listener_is_told_of_the_end_while_its_sender_pauses(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would wait half a second for a notice, and `destroy()` for it."""
    sent: list[list[Notice]] = []
    send = PostgresNotifier.send

    def noted(self: PostgresNotifier, notices: Sequence[Notice]) -> None:
        sent.append([*notices])
        send(self, notices)

    monkeypatch.setattr(PostgresNotifier, "send", noted)
    monkeypatch.setattr(wakeups, "COALESCE_S", 1.0)
    DBOS(config={"name": "test-app", "system_database_url": postgres_url})
    DBOS.launch()
    with SetWorkflowID("told"):
        ends_at_once()
    eventually(lambda: [(STATUS, "told")] in sent)
    DBOS.destroy()
    assert sent[-1] == [(STATUS, "")]


@DBOS.workflow()
def ends_at_once() -> None:
    return None
