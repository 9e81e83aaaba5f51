"""What a call costs: statements, and how often one thread waits for another.

Loops that run at intervals are not counted, and neither are notices, which go out many together.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from dboshub import DBOS, DBOSClient, DBOSConfig, Queue
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.journal.pending_write import PendingWrite
from dboshub.workflows.engine.journal.writes import ISOLATE_ABOVE
from dboshub.workflows.engine.runtime.threads import Threads
from dboshub.workflows.engine.waiting.notices import QUEUE, Notice
from dboshub.workflows.engine.waiting.waits import Waiter
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.storage.waiting.notifier import PostgresNotifier
from tests.support.eventually import eventually

SERVED = Queue("costs-served")
# Threads that serve calls; the others work at intervals, or for many calls at once.
CALLS = ("MainThread", "dboshub-journal", "dboshub-workflow")


@DBOS.step()
def costs_step() -> int:
    return 1


@DBOS.step()
def costs_large_step() -> str:
    return "x" * ISOLATE_ABOVE


@DBOS.workflow()
def costs_nothing() -> int:
    return 1


@DBOS.workflow()
def costs_calls(count: int, kind: str, destination: str = "") -> None:
    calls: dict[str, Callable[[], Any]] = {
        "step": costs_step,
        "large step": costs_large_step,
        "event": lambda: DBOS.set_event("key", 1),
        "stream": lambda: DBOS.write_stream("key", 1),
        "send": lambda: DBOS.send(destination, 1, "topic"),
        "child": costs_nothing,
    }
    for _ in range(count):
        calls[kind]()


class Costs(Counter[str]):
    """Counts of `statements`, `hops` of writes to other threads, `tasks` given to a thread, and
    `waits`."""


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    def counted(method: Callable[..., Any], name: str, costs: Costs) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if threading.current_thread().name.startswith(CALLS):
                costs[name] += 1
            return method(*args, **kwargs)

        return call

    @contextmanager
    def count() -> Iterator[Costs]:
        costs = Costs()
        with monkeypatch.context() as patch:
            for owner, method, name in (
                (Session, "cursor", "statements"),
                (PendingWrite, "__init__", "hops"),
                (Threads, "submit", "tasks"),
                (Waiter, "block", "waits"),
            ):
                patch.setattr(owner, method, counted(getattr(owner, method), name, costs))
            yield costs

    return count


def of(database_url: str, *, postgres: int, sqlite: int) -> int:
    return sqlite if database_url.startswith("sqlite") else postgres


def per_call(counting: Callable[[], Any], kind: str, destination: str = "") -> Costs:
    """What each further call of a workflow costs."""
    costs_calls(1, kind, destination)
    with counting() as few:
        costs_calls(1, kind, destination)
    with counting() as many:
        costs_calls(11, kind, destination)
    difference = Costs({name: many[name] - few[name] for name in many})
    assert all(count % 10 == 0 for count in difference.values()), difference
    return Costs({name: count // 10 for name, count in difference.items() if count})


@pytest.mark.parametrize(
    ("kind", "postgres", "sqlite"),
    [
        ("step", 1, 2),
        ("large step", 1, 2),
        ("event", 1, 4),
        ("stream", 1, 3),
        ("send", 1, 3),
        ("child", 3, 8),
    ],
)
def test_a_call_within_a_workflow_takes_no_other_thread(
    kind: str,
    postgres: int,
    sqlite: int,
    dbos: type[DBOS],
    database_url: str,
    counting: Callable[[], Any],
) -> None:
    destination = DBOS.enqueue_workflow("costs-elsewhere", costs_nothing).workflow_id
    costs = per_call(counting, kind, destination)
    assert costs == {"statements": of(database_url, postgres=postgres, sqlite=sqlite)}


def test_a_direct_call_takes_two_statements_and_no_other_thread(
    dbos: type[DBOS], database_url: str, counting: Callable[[], Any]
) -> None:
    costs_nothing()
    with counting() as costs:
        costs_nothing()
    assert costs == {"statements": of(database_url, postgres=2, sqlite=4)}


def test_a_start_and_its_result_wake_one_thread_and_ask_nothing(
    dbos: type[DBOS], database_url: str, counting: Callable[[], Any]
) -> None:
    DBOS.start_workflow(costs_nothing).get_result()
    with counting() as costs:
        handle = DBOS.start_workflow(costs_nothing)
        assert handle.get_result() == 1
        eventually(lambda: not current_engine.engine().executions)
    assert costs["statements"] == of(database_url, postgres=2, sqlite=4)
    assert costs["tasks"] == 1
    assert costs["hops"] <= 1
    assert costs["waits"] <= 1


def test_outcomes_of_many_starts_share_a_statement(
    dbos: type[DBOS],
    database_url: str,
    counting: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dboshub.workflows.engine.journal import pending_queue

    monkeypatch.setattr(pending_queue, "LINGER_S", 60.0)
    with counting() as costs:
        handles = [DBOS.start_workflow(costs_nothing) for _ in range(20)]
        journal = current_engine.engine().journal
        eventually(lambda: len(journal.admission) == 20)
        assert [handle.get_result() for handle in handles] == [1] * 20
    assert costs["statements"] == of(database_url, postgres=21, sqlite=80)


def test_a_step_an_outcome_and_a_start_of_three_threads_share_a_statement(
    dbos: type[DBOS], database_url: str, counting: Callable[[], Any]
) -> None:
    engine = current_engine.engine()
    journal, write, end = engine.journal, threading.Event(), threading.Event()

    @DBOS.step(name="costs_held_step")
    def held_step() -> None:
        write.wait(30)

    @DBOS.workflow(name="costs_held_in_a_step")
    def held_in_a_step() -> None:
        held_step()
        end.wait(30)

    @DBOS.workflow(name="costs_held_before_its_outcome")
    def held_before_its_outcome() -> None:
        write.wait(30)

    @DBOS.workflow(name="costs_held_after_its_start")
    def held_after_its_start() -> None:
        end.wait(30)

    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(held_in_a_step), pool.submit(held_before_its_outcome)]
        eventually(lambda: len(engine.executions) == 2)
        with counting() as costs:
            with journal._main.lock:
                calls.append(pool.submit(held_after_its_start))
                write.set()
                eventually(lambda: len(journal.admission) == 3)
            eventually(lambda: not len(journal.admission))
        end.set()
        for call in calls:
            call.result(30)
    assert costs["statements"] == of(database_url, postgres=1, sqlite=6)


@pytest.mark.parametrize("by", ["client", "worker"])
def test_an_enqueue_takes_one_statement_and_no_other_thread(
    by: str,
    dbos: type[DBOS],
    config: DBOSConfig,
    database_url: str,
    counting: Callable[[], Any],
) -> None:
    client = DBOSClient(system_database_url=database_url)
    try:
        enqueue: dict[str, Callable[[], Any]] = {
            "client": lambda: client.enqueue(
                {"workflow_name": "costs_nothing", "queue_name": "costs-elsewhere"}
            ),
            "worker": lambda: DBOS.enqueue_workflow("costs-elsewhere", costs_nothing),
        }
        enqueue[by]()
        with counting() as costs:
            enqueue[by]()
        assert costs == {"statements": of(database_url, postgres=1, sqlite=2)}
    finally:
        client.destroy()


def test_the_notice_of_an_enqueue_does_not_come_back(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would cause a second claim. The queue is known to have work here already."""
    sent, send = list[Notice](), PostgresNotifier.send
    woken = list[tuple[str, bool]]()

    def noted(notifier: PostgresNotifier, notices: Sequence[Notice]) -> None:
        send(notifier, notices)
        sent.extend(notices)

    monkeypatch.setattr(PostgresNotifier, "send", noted)
    DBOS(config={"name": "test-app", "system_database_url": postgres_url})
    DBOS.launch()
    try:
        notices = current_engine.engine().notices
        monkeypatch.setattr(notices, "on_enqueued", lambda *wake: woken.append(wake))
        heard(postgres_url, "costs-before", woken)  # it listens
        SERVED.enqueue(costs_nothing)
        eventually(lambda: (QUEUE, SERVED.name) in sent)
        heard(postgres_url, "costs-after", woken)
        assert {*woken} == {(SERVED.name, True), ("costs-before", False), ("costs-after", False)}
    finally:
        DBOS.destroy()


def heard(url: str, queue: str, woken: list[tuple[str, bool]]) -> None:
    """Send the notice of another process until it has arrived."""

    def has_arrived() -> bool:
        with psycopg.connect(url, autocommit=True) as other:
            other.execute(f"NOTIFY {QUEUE}, '{queue}'".encode())
        return (queue, False) in woken

    eventually(has_arrived)
