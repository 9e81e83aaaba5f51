"""Loops survive their bodies: an exception is logged once a kind, backed off, seen in health."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator

import django.db
import psycopg
import pytest
from psycopg_pool import PoolTimeout

from dboshub import DBOS
from dboshub.queues.engine.dispatcher import Dispatcher
from dboshub.queues.engine.maintenance import Maintenance
from dboshub.runtime.engine_host import EngineHost
from dboshub.runtime.lifecycle import Runtime
from dboshub.schedules.engine.ticker import Ticker
from dboshub.workflows.engine import background, current_engine
from dboshub.workflows.engine.background import BackgroundLoop, LoopFailures
from dboshub.workflows.engine.journal.commit_retry import CommitRetry
from dboshub.workflows.engine.membership.heartbeat import HeartbeatLoop
from dboshub.workflows.engine.ports import StorageUnavailableError
from dboshub.workflows.engine.runtime.executions import Executions
from dboshub.workflows.engine.waiting.waits import Waits
from tests.support.eventually import eventually


class Turns:
    """A turn that fails with these errors first, and then goes well."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = [*errors]
        self.begun = 0

    def __call__(self) -> float:
        self.begun += 1
        if self.errors:
            raise self.errors.pop(0)
        return 60.0


@pytest.fixture
def run() -> Iterator[Callable[[Turns], BackgroundLoop]]:
    loops: list[BackgroundLoop] = []

    def start(turns: Turns, longest_pause_s: float = 0.001) -> BackgroundLoop:
        loops.append(BackgroundLoop("test", "Testing", turns, longest_pause_s=longest_pause_s))
        loops[-1].start()
        return loops[-1]

    yield start
    for each in loops:
        assert each.stop(20)


ERRORS = [
    ValueError("of the body"),
    OSError(5, "Input/output error"),
    RuntimeError("can't start new thread"),
    SystemExit(1),
    KeyboardInterrupt(),
    asyncio.CancelledError(),
    MemoryError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_loop_survives_whatever_its_turn_raises(
    error: BaseException, run: Callable[..., BackgroundLoop]
) -> None:
    turns = Turns(error, error)
    loop = run(turns)
    eventually(lambda: turns.begun == 3)
    eventually(lambda: loop.failures.state is None)


def test_a_loop_that_fails_is_seen_in_health_until_it_works_again(
    run: Callable[..., BackgroundLoop],
) -> None:
    turns = Turns(*[ValueError("of the body")] * 500)
    run(turns)
    eventually(lambda: [each for each in background.failing() if each.what == "Testing"])
    [found] = [each for each in background.failing() if each.what == "Testing"]
    assert found.error == "of the body"
    turns.errors.clear()
    eventually(lambda: not [each for each in background.failing() if each.what == "Testing"])


def test_each_kind_of_failure_is_logged_once(
    run: Callable[..., BackgroundLoop], caplog: pytest.LogCaptureFixture
) -> None:
    turns = Turns(*[ValueError("a"), OSError("b")] * 5)
    run(turns)
    eventually(lambda: turns.begun == 11)
    eventually(lambda: "works again after 10 failures" in caplog.text)
    assert caplog.text.count("Testing fails and is tried again: a") == 1
    assert caplog.text.count("Testing fails and is tried again: b") == 1


def test_a_wake_does_not_cut_the_pause_after_a_failure_short(
    run: Callable[..., BackgroundLoop], monkeypatch: pytest.MonkeyPatch
) -> None:
    paused = threading.Event()
    failed = LoopFailures.failed

    def long_pause(failures: LoopFailures, error: BaseException) -> float:
        failed(failures, error)
        paused.set()
        return 60.0

    monkeypatch.setattr(LoopFailures, "failed", long_pause)
    turns = Turns(ValueError())
    loop = run(turns)
    assert paused.wait(20)
    for _ in range(100):
        loop.wake()
    assert not loop._thread.join(0.1)
    assert turns.begun == 1


def test_pauses_grow_up_to_their_limit() -> None:
    failures = LoopFailures("Growing", first_pause_s=1, longest_pause_s=8)
    pauses = [failures.failed(ValueError()) for _ in range(50)]
    failures.end()
    assert pauses[0] < 2
    assert 6 <= pauses[-1] <= 10


@pytest.mark.parametrize(
    "error",
    [
        StorageUnavailableError(),
        psycopg.OperationalError(),
        psycopg.errors.AdminShutdown(),
        PoolTimeout(),
        django.db.OperationalError(),
        sqlite3.OperationalError("database is locked"),
    ],
    ids=lambda error: f"{type(error).__module__}.{type(error).__name__}",
)
def test_pauses_of_an_outage_stay_short(error: Exception) -> None:
    failures = LoopFailures("Reaching the database", longest_pause_s=60)
    pauses = [failures.failed(error) for _ in range(50)]
    others = [failures.failed(ValueError()) for _ in range(50)]
    failures.end()
    assert pauses[0] < pauses[-1] < 3
    assert others[-1] > 30


BODIES = [
    (Waits, "poll"),
    (Executions, "verify_ownership"),
    (Maintenance, "run_once"),
    (Dispatcher, "_once"),
    (Ticker, "run_due"),
    (HeartbeatLoop, "run_due"),
]


@DBOS.workflow(name="loops.awaited")
def awaited() -> str:
    return "done"


@DBOS.workflow(name="loops.sleeps")
def sleeps() -> str:
    DBOS.sleep(0.05)
    return "done"


@pytest.mark.parametrize(("part", "body"), BODIES, ids=lambda each: getattr(each, "__name__", each))
def test_every_loop_of_the_engine_survives_its_body(
    part: type, body: str, launch: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    raised = threading.Semaphore(0)
    real = getattr(part, body)
    fails = True

    def fail(*args: object, **kwargs: object) -> object:
        if fails:
            raised.release()
            raise SystemExit("of the body")
        return real(*args, **kwargs)

    monkeypatch.setattr(part, body, fail)
    if part is Waits:
        monkeypatch.setattr(Waits, "pending", lambda waits: True)
    launch(notification_listener_polling_interval_sec=0.01)
    assert raised.acquire(timeout=20)
    assert raised.acquire(timeout=20)
    assert background.failing()
    fails = False
    queue = DBOS.register_queue("loops")
    assert queue.enqueue(sleeps).get_result() == "done"
    eventually(lambda: not background.failing())


def test_a_listener_survives_a_transport_that_raises(
    launch: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    launch()
    wakeups = DBOS._runtime.wakeups
    assert isinstance(DBOS._runtime, Runtime)
    if wakeups._transport is None:
        assert current_engine.engine().notices.has_sender is False
        return
    raised = threading.Semaphore(0)

    def fail(*args: object) -> None:
        raised.release()
        raise ValueError("of the transport")

    with monkeypatch.context() as failing:
        failing.setattr(wakeups._transport, "send", fail)
        DBOS.start_workflow(awaited).get_result()
        assert raised.acquire(timeout=20)
    assert DBOS.start_workflow(awaited).get_result() == "done"


def test_an_outage_of_the_database_is_seen_in_health() -> None:
    retry, answers = CommitRetry(), [StorageUnavailableError("it is away"), None]

    def attempt() -> str:
        error = answers.pop(0)
        if error is not None:
            raise error
        found = [each for each in background.failing() if each.what.startswith("Committing")]
        assert [each.error for each in found] == ["it is away"]
        return "committed"

    assert retry.until_answered(attempt) == "committed"
    assert not [each for each in background.failing() if each.what.startswith("Committing")]


def test_what_fails_is_published_with_the_heartbeat(dbos: type[DBOS]) -> None:
    failures = LoopFailures("Testing")
    failures.failed(OSError("Input/output error"))
    host = EngineHost(current_engine.engine(), lambda: None)
    [said] = [each for each in json.loads(host.activity()) if each["name"] == "Testing"]
    failures.recovered()
    assert (said["kind"], said["error"]) == ("failing", "Input/output error")
    assert json.loads(host.activity()) == []
