"""A pool comes back soon after its server, however long that was away. PostgreSQL only."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from psycopg_pool import ConnectionPool

from dboshub import env
from dboshub.workflows.storage.postgres import PostgresDatabase
from tests.support.eventually import eventually


class Refusing:
    """Accepts and hangs up, as a proxy does whose server is away."""

    def __init__(self) -> None:
        self.refused = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"postgresql://nobody@127.0.0.1:{self._listener.getsockname()[1]}/none"
        threading.Thread(target=self._refuse, name="pymonitor-refusing", daemon=True).start()

    def _refuse(self) -> None:
        while True:
            try:
                self._listener.accept()[0].close()
            except OSError:
                return
            self.refused += 1

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def away() -> Iterator[Refusing]:
    server = Refusing()
    yield server
    server.close()


def of_the_engine(url: str) -> ConnectionPool:
    return PostgresDatabase(url, schema="dbos", pool_size=2)._pool


def of_django(url: str) -> ConnectionPool:
    options = env.django_database(url, pool_size=2)["OPTIONS"]["pool"]
    return ConnectionPool(url, open=False, **options | {"min_size": 0, "timeout": 60})


@pytest.mark.parametrize("make", [of_the_engine, of_django])
def test_a_pool_goes_on_trying_while_somebody_waits(
    make: Callable[[str], ConnectionPool], away: Refusing
) -> None:
    """With psycopg's own pauses, which double, the sixth attempt comes after half a minute."""
    pool = make(away.url)
    pool.open()
    waiting = threading.Thread(target=_wait_for_one, args=[pool], name="pymonitor-waiting")
    waiting.start()
    try:
        eventually(lambda: away.refused >= 6, timeout=20)
    finally:
        pool.close()
        waiting.join()


def _wait_for_one(pool: ConnectionPool) -> None:
    with pytest.raises(Exception, match="closed"), pool.connection():
        pass
