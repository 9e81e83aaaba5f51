"""A system database is made or upgraded without launching; its alerts find whom they are for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from dboshub import DBOS, DBOSClient, DBOSConfig, SetWorkflowID, run_dbos_database_migrations
from dboshub.workflows.engine.errors import DBOSException, DBOSInitializationError
from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.sql import Statement
from tests.support.eventually import eventually

DOOM = Statement(
    """
    UPDATE {workflow_status}
    SET recovery_attempts = 500, status = 'ENQUEUED', queue_name = '_dbos_internal_queue',
        owner_xid = NULL, completed_at = NULL
    """
)
ROLE = "dboshub_test_app"


@DBOS.workflow()
def greet() -> str:
    return "hello"


def test_a_database_is_made_and_made_again(database_url: str) -> None:
    DBOS.migrate(database_url)
    run_dbos_database_migrations(database_url)
    client = DBOSClient(system_database_url=database_url)
    assert client.list_workflows() == []
    client.destroy()


def test_a_launch_makes_the_tables_of_an_empty_database(database_url: str) -> None:
    DBOS(config={"name": "test-app", "system_database_url": database_url})
    DBOS.launch()
    try:
        assert greet() == "hello"
    finally:
        DBOS.destroy()


def test_sharding_is_refused_and_roles_are_for_postgresql(sqlite_url: str) -> None:
    with pytest.raises(DBOSInitializationError, match="sharded"):
        DBOS.migrate(sqlite_url, sharding=True)
    with pytest.raises(DBOSException, match="SQLite has no roles"):
        DBOS.migrate(sqlite_url, application_role="app")


@pytest.fixture
def role(postgres_url: str) -> Iterator[str]:
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(f'DROP ROLE IF EXISTS "{ROLE}"')
        server.execute(f'CREATE ROLE "{ROLE}"')
        yield ROLE
        server.execute(f'DROP OWNED BY "{ROLE}"')
        server.execute(f'DROP ROLE "{ROLE}"')


def test_a_role_may_use_what_another_made(postgres_url: str, role: str) -> None:
    with pytest.raises(DBOSException, match="no role 'nobody'"):
        DBOS.migrate(postgres_url, application_role="nobody")
    DBOS.migrate(postgres_url, schema="other", application_role=role)
    with psycopg.connect(postgres_url) as connection:
        connection.execute(f'SET ROLE "{role}"')
        assert connection.execute("SELECT count(*) FROM other.workflow_status").fetchone() == (0,)
        connection.execute("INSERT INTO other.dboshub_queue_pause VALUES ('q', 1)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DROP TABLE other.streams")


def test_a_workflow_that_is_given_up_is_an_alert(
    config: DBOSConfig, launch: Callable[..., None], database_url: str
) -> None:
    heard: list[tuple[str, str, dict[str, str]]] = []
    launch()
    with SetWorkflowID("w"):
        greet()
    DBOS.destroy()
    database = open_database(database_url)
    with database.writing() as session:
        session.run(DOOM)
    database.close()
    DBOS(config=config)

    @DBOS.alert_handler
    def hear(name: str, message: str, metadata: dict[str, str]) -> None:
        heard.append((name, message, metadata))
        raise ValueError("harms nobody")

    DBOS.launch()
    eventually(lambda: heard)
    ((name, message, metadata),) = heard
    assert (name, metadata["workflow_id"]) == ("workflow_dead_lettered", "w")
    assert "w was started too often" in message


def test_there_is_one_alert_handler_and_it_is_declared_in_time(
    config: DBOSConfig, launch: Callable[..., None]
) -> None:
    def hear(name: str, message: str, metadata: dict[str, str]) -> None: ...

    with pytest.raises(DBOSException, match="after DBOS"):
        DBOS.alert_handler(hear)
    DBOS(config=config)
    assert DBOS.alert_handler(hear) is hear
    with pytest.raises(DBOSException, match="only declare one"):
        DBOS.alert_handler(hear)
    DBOS.launch()
    with pytest.raises(DBOSException, match="before DBOS is launched"):
        DBOS.alert_handler(hear)
