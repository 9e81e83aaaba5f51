"""A middlebox that acknowledges and forgets holds no caller. PostgreSQL only."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from dboshub import DBOS, DBOSConfig
from dboshub.workflows.datasources.sqlalchemy_support import new_async_engine
from dboshub.workflows.storage import answers
from dboshub.workflows.storage.answers import AnsweredConnection, AsyncAnsweredConnection
from dboshub.workflows.storage.waiting import notify
from tests.support.black_hole import BlackHole
from tests.support.eventually import eventually
from tests.support.launched import launch

__all__ = ["launch"]


@DBOS.step(name="lost.doubled")
def doubled(number: int) -> int:
    return 2 * number


@DBOS.workflow(name="lost.two_steps")
def two_steps(number: int) -> int:
    return doubled(doubled(number))


@DBOS.transaction(name="lost.one")
def one() -> int:
    return int(DBOS.sql_session.execute(text("SELECT 1")).scalar_one())


@DBOS.workflow(name="lost.transacted")
def transacted() -> int:
    return one()


@pytest.fixture
def proxy(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[BlackHole]:
    monkeypatch.setattr(answers, "SILENCE_S", 0.2)
    with BlackHole(postgres_url) as proxy:
        yield proxy


@pytest.fixture
def config(proxy: BlackHole) -> DBOSConfig:
    return {"name": "test-app", "system_database_url": proxy.url}


def test_an_answer_that_was_forgotten_is_an_error_of_the_connection(proxy: BlackHole) -> None:
    with AnsweredConnection.connect(proxy.url, autocommit=True) as connection:
        proxy.forget()
        with pytest.raises(psycopg.OperationalError, match="answer was lost"):
            connection.execute("SELECT 1")
        assert connection.closed


def test_a_statement_that_the_server_works_on_is_waited_for(proxy: BlackHole) -> None:
    with AnsweredConnection.connect(proxy.url, autocommit=True) as connection:
        found = connection.execute("SELECT pg_sleep(1), 7").fetchone()
        assert found is not None
        assert found[1] == 7


def test_a_commit_that_the_server_works_on_is_waited_for(
    proxy: BlackHole, postgres_url: str
) -> None:
    with (
        psycopg.connect(postgres_url) as other,
        AnsweredConnection.connect(proxy.url, autocommit=True) as connection,
    ):
        other.execute("SELECT pg_advisory_lock(1)")
        timer = threading.Timer(1, lambda: other.execute("SELECT pg_advisory_unlock(1)"))
        timer.start()
        connection.execute("SELECT pg_advisory_lock(1)")
        timer.join()


def test_workflows_go_on_after_every_connection_was_forgotten(
    proxy: BlackHole, launch: Callable[..., None]
) -> None:
    launch()
    queue = DBOS.register_queue("lost")
    assert queue.enqueue(two_steps, 1).get_result() == 4
    proxy.forget()
    assert DBOS.start_workflow(two_steps, 2).get_result() == 8
    assert queue.enqueue(two_steps, 3).get_result() == 12


def test_a_transaction_of_sqlalchemy_notices_that_it_was_forgotten(
    proxy: BlackHole, launch: Callable[..., None]
) -> None:
    launch()
    assert transacted() == 1
    proxy.forget()
    assert transacted() == 1


def test_an_async_connection_notices_it_and_waits_for_a_server_that_works(
    proxy: BlackHole,
) -> None:
    async def ask() -> None:
        async with await AsyncAnsweredConnection.connect(proxy.url, autocommit=True) as connection:
            cursor = await connection.execute("SELECT pg_sleep(2), 7")
            assert (await cursor.fetchone() or ())[1] == 7
            proxy.forget()
            with pytest.raises(psycopg.OperationalError, match="answer was lost"):
                await connection.execute("SELECT 1")
            assert connection.closed

    asyncio.run(asyncio.wait_for(ask(), 60))


def test_an_async_engine_notices_that_it_was_forgotten(proxy: BlackHole) -> None:
    async def ask() -> None:
        engine = new_async_engine(proxy.url, {})
        try:
            async with engine.connect() as connection:
                assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
                proxy.forget()
                with pytest.raises(OperationalError, match="answer was lost"):
                    await connection.execute(text("SELECT 2"))
        finally:
            await engine.dispose()

    asyncio.run(asyncio.wait_for(ask(), 60))


def test_a_listener_notices_that_it_was_forgotten(
    proxy: BlackHole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "CHECK_EVERY_S", 0.1)
    connected, lost = threading.Event(), threading.Event()

    def listen() -> None:
        with pytest.raises(psycopg.OperationalError, match="answer was lost"):
            notify.listen(
                proxy.url,
                ["channel"],
                on_connected=connected.set,
                on_notice=lambda channel, payload: None,
                is_over=lambda: False,
            )
        lost.set()

    threading.Thread(target=listen, daemon=True).start()
    assert connected.wait(20)
    proxy.forget()
    eventually(lost.is_set, timeout=20)
