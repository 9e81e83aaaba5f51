"""Connections that Django keeps: checked before use, and enough of them for steps. PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import psycopg
import pytest
from django.db.utils import ConnectionHandler, OperationalError
from psycopg.pq import TransactionStatus

from dboshub.env import django_database
from dboshub.workflows import django_step_connections
from dboshub.workflows.django_postgresql import base
from dboshub.workflows.engine import context
from tests.support.eventually import eventually

Pooled = Callable[..., ConnectionHandler]
CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"


@pytest.fixture
def pooled(postgres_url: str, django_db_blocker: Any) -> Iterator[Pooled]:
    """A project whose database `pooled` has a pool of this size."""
    made: list[ConnectionHandler] = []

    def make(size: int) -> ConnectionHandler:
        entry = django_database(postgres_url, pool_size=size, worker_pool_size=5)
        made.append(ConnectionHandler({"default": entry, "pooled": dict(entry)}))
        return made[-1]

    with django_db_blocker.unblock():
        yield make
    for each in made:
        each["pooled"].close()
        cast(Any, each["pooled"]).close_pool()


def ask(connection: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone()


def test_no_connection_that_the_server_has_cut_is_handed_out(
    pooled: Pooled, postgres_url: str
) -> None:
    connection = pooled(2)["pooled"]
    assert ask(connection) == (1,)
    connection.close()
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute(f"{CUT} AND datname = current_database()")
    assert ask(connection) == (1,)
    connection.close()


def test_a_step_waits_for_a_connection_and_a_page_gives_up(
    pooled: Pooled, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(base, "BUSY_TIMEOUT_S", 0.0)
    handler = pooled(1)
    assert ask(handler["pooled"]) == (1,)
    answers: list[Any] = []

    def work() -> None:
        mine = handler["pooled"]
        with pytest.raises(OperationalError, match="a connection after"):
            ask(mine)
        context.FRAME.set(cast(Any, "a step"))
        answers.append(ask(mine))
        mine.close()

    worker = threading.Thread(target=work)
    worker.start()
    eventually(lambda: "a step waits for one of the 1 connections" in caplog.text)
    assert answers == []
    handler["pooled"].close()
    worker.join(20)
    assert answers == [(1,)]


def test_a_process_that_runs_steps_has_a_larger_pool(
    pooled: Pooled, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = pooled(1)
    pool = cast(Any, handler["pooled"]).pool
    assert pool.max_size == 1
    monkeypatch.setattr(django_step_connections, "connections", handler)
    django_step_connections.use_worker_pools()
    assert pool.max_size == handler.settings["pooled"]["OPTIONS"]["pool"]["max_size"] == 5


def test_a_thread_that_ends_gives_back_what_it_did_not_close(pooled: Pooled) -> None:
    handler = pooled(1)
    for _ in range(3):
        worker = threading.Thread(target=lambda: ask(handler["pooled"]))
        worker.start()
        worker.join(20)
    assert ask(handler["pooled"]) == (1,)
    stats = cast(Any, handler["pooled"]).pool.get_stats()
    assert (stats["pool_size"], stats["connections_num"]) == (1, 1)


def test_a_thread_that_ends_in_a_transaction_leaves_none_open(pooled: Pooled) -> None:
    handler = pooled(1)

    def work() -> None:
        mine = handler["pooled"]
        mine.set_autocommit(False)
        ask(mine)

    worker = threading.Thread(target=work)
    worker.start()
    worker.join(20)
    mine = cast(Any, handler["pooled"])
    assert ask(mine) == (1,)
    assert mine.connection.info.transaction_status == TransactionStatus.IDLE


def test_a_connection_that_another_thread_closed_is_not_given_back_twice(pooled: Pooled) -> None:
    handler = pooled(1)
    opened, closed = threading.Event(), threading.Event()
    theirs: list[Any] = []

    def work() -> None:
        theirs.append(handler["pooled"])
        theirs[0].inc_thread_sharing()
        ask(theirs[0])
        opened.set()
        assert closed.wait(20)

    worker = threading.Thread(target=work)
    worker.start()
    assert opened.wait(20)
    theirs[0].close()
    mine = cast(Any, handler["pooled"])
    assert ask(mine) == (1,)
    closed.set()
    worker.join(20)
    assert ask(mine) == (1,)
    assert mine.pool.get_stats()["pool_available"] == 0
