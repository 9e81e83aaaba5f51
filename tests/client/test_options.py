"""How a client behaves towards its database: what it waits for, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine

from dboshub import DBOSClient
from dboshub.workflows.engine.errors import (
    DBOSException,
    DBOSInitializationError,
    DBOSQueryTimeoutError,
)
from dboshub.workflows.engine.ports import StorageUnavailableError
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.schema.migrate import migrate
from dboshub.workflows.storage.sql import Statement
from tests.client.conftest import MakeClient

ENDLESS = Statement(
    postgres="SELECT pg_sleep(600)",
    sqlite="WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n",
)
LOCK = Statement("LOCK TABLE {workflow_status}, {operation_outputs} IN ACCESS EXCLUSIVE MODE")


def test_a_query_that_takes_too_long_is_given_up(database: Database) -> None:
    with (
        pytest.raises(DBOSQueryTimeoutError, match=r"0\.05s"),
        database.reading_with_timeout(0.05) as slow,
    ):
        slow.all(ENDLESS)
    with database.reading_with_timeout(30) as session:
        assert session.one(Statement("SELECT 1")) == (1,)


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Database]:
    """Where readers can be made to wait, and connections be refused."""
    database = open_database(postgres_url)
    migrate(database)
    yield database
    database.close()


def test_listings_and_aggregates_are_given_up_unless_by_id(
    postgres: Database, postgres_url: str
) -> None:
    hasty = DBOSClient(system_database_url=postgres_url, observability_query_timeout_sec=0.05)
    try:
        with postgres.writing() as session:
            session.run(LOCK)
            for call in ("list_workflows", "get_workflow_aggregates", "get_step_aggregates"):
                with pytest.raises(DBOSQueryTimeoutError):
                    getattr(hasty, call)()
        assert hasty.list_workflows(workflow_ids=["w"]) == []
    finally:
        hasty.destroy()


def test_without_a_limit_a_listing_takes_its_time(
    database: Database, make_client: MakeClient
) -> None:
    assert make_client(observability_query_timeout_sec=0).list_workflows() == []


def test_an_engine_of_sqlalchemy_stands_for_its_url(database: Database, database_url: str) -> None:
    url = database_url.replace("postgresql:", "postgresql+psycopg:")
    client = DBOSClient(system_database_engine=create_engine(url))
    try:
        handle = client.enqueue({"workflow_name": "w", "queue_name": "q"})
        assert handle.get_status().status == "ENQUEUED"
    finally:
        client.destroy()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"sharding": True}, "sharded system databases are not supported"),
        ({"observability_query_timeout_sec": "soon"}, "a finite number at least 0 seconds"),
        ({"sys_db_idle_transaction_timeout_sec": True}, "a finite number at least 0 seconds"),
        ({"system_database_pool_size": 0}, "from 1 to 10000"),
        ({"behind_pooler": True, "use_listen_notify": True}, "no listener when"),
    ],
)
def test_impossible_manners_are_explained(
    make_client: MakeClient, options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(DBOSException, match=complaint):
        make_client(**options)


def test_what_is_no_engine_is_refused() -> None:
    with pytest.raises(DBOSInitializationError, match="SQLAlchemy Engine"):
        DBOSClient(system_database_engine="postgresql://nowhere/x")


def test_keys_that_change_nothing_here_are_taken(
    database: Database, make_client: MakeClient
) -> None:
    client = make_client(system_database_polling_concurrency=2, sharding=False, behind_pooler=True)
    assert client.list_workflows() == []


def test_an_idle_transaction_is_ended_by_the_server(postgres_url: str) -> None:
    database = open_database(postgres_url, idle_timeout=0.05)
    try:
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            _dawdle(database, postgres_url)
    finally:
        database.close()


def _dawdle(database: Database, url: str) -> None:
    with database.writing() as session:
        session.one(Statement("SELECT 1"))
        _until_ended(url)
        session.one(Statement("SELECT 1"))


def _until_ended(url: str) -> None:
    """Look from another connection until the server has closed the idle one."""
    query = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE state LIKE 'idle in transaction%' AND datname = current_database()"
    )
    with psycopg.connect(url, autocommit=True) as other:
        while other.execute(query).fetchone() != (0,):
            other.execute("SELECT pg_sleep(0.02)")


def test_without_retries_a_call_fails_with_its_connection(
    postgres: Database, postgres_url: str
) -> None:
    client = DBOSClient(system_database_url=postgres_url, retry_connection_errors=False)
    try:
        with _refusing(postgres_url), pytest.raises(StorageUnavailableError):
            client.enqueue({"workflow_name": "w", "queue_name": "q"})
        assert client.enqueue({"workflow_name": "w", "queue_name": "q"}).workflow_id
    finally:
        client.destroy()


@contextmanager
def _refusing(url: str) -> Iterator[None]:
    """End every connection to a database, and let nobody in."""
    name = url.rpartition("/")[2]
    with psycopg.connect(url, dbname="postgres", autocommit=True) as server:
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        yield
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
