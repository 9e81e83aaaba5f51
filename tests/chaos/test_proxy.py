"""The proxy's faults are where they are said to be."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.chaos.proxy import Cut, Proxy
from tests.support.eventually import eventually

COUNT = "SELECT count(*) FROM chaos_rows"


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[Proxy]:
    with psycopg.connect(postgres_url) as direct:
        direct.execute("CREATE TABLE chaos_rows (number integer)")
    with Proxy(postgres_url) as proxy:
        yield proxy


def insert_alone(connection: psycopg.Connection) -> None:
    connection.execute("INSERT INTO chaos_rows VALUES (%s)", [1], prepare=True)


def insert_in_a_transaction(connection: psycopg.Connection) -> None:
    with connection.transaction():
        insert_alone(connection)


def insert_in_a_pipeline(connection: psycopg.Connection) -> None:
    with connection.pipeline(), connection.transaction():
        insert_alone(connection)


@pytest.mark.parametrize("insert", [insert_alone, insert_in_a_transaction, insert_in_a_pipeline])
@pytest.mark.parametrize(("where", "expected"), [(Cut.BEFORE, 1), (Cut.AFTER, 2)])
def test_cut_at_a_commit(
    proxy: Proxy, postgres_url: str, where: Cut, expected: int, insert: type[psycopg.Connection]
) -> None:
    with psycopg.connect(proxy.url, autocommit=True) as connection:
        insert(connection)
        with proxy.cutting(where, every=1), pytest.raises(psycopg.OperationalError):
            insert(connection)
    with psycopg.connect(postgres_url) as direct:
        # Without the commit the server ends the transaction when it learns of the cut.
        eventually(lambda: direct.execute(COUNT).fetchone() == (expected,))


def test_reading_is_not_cut(proxy: Proxy) -> None:
    with psycopg.connect(proxy.url) as connection, proxy.cutting(Cut.BEFORE, every=1):
        assert connection.execute(COUNT).fetchone() == (0,)
        connection.rollback()
    assert proxy.cuts == 0


def test_refused_then_served(proxy: Proxy) -> None:
    with psycopg.connect(proxy.url) as connection:
        with proxy.refusing():
            with pytest.raises(psycopg.OperationalError):
                connection.execute(COUNT)
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(proxy.url)
        with psycopg.connect(proxy.url) as other:
            assert other.execute(COUNT).fetchone() == (0,)


def test_forgotten_then_reset(proxy: Proxy) -> None:
    with psycopg.connect(proxy.url) as connection:
        with proxy.forgetting(new_ones=True):
            connection.pgconn.send_query(COUNT.encode())
            with pytest.raises(psycopg.errors.ConnectionTimeout):
                psycopg.connect(proxy.url, connect_timeout=2)
            connection.pgconn.consume_input()
            assert connection.pgconn.is_busy()
        with pytest.raises(psycopg.OperationalError):
            connection.pgconn.consume_input()
