"""Connections that Django keeps: checked before use, and enough of them for steps. PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import psycopg
import pytest
from django.db.utils import ConnectionHandler, OperationalError

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
