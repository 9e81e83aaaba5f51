"""A role that may not create tables, tables that are half there: what launch and clients say."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import psycopg
import pytest

from dboshub import DBOS, DBOSClient, DBOSConfig, run_dbos_database_migrations
from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.schema.errors import HubTablesMissingError, SchemaPermissionError
from tests.support.postgres import Server

Launch = Callable[..., None]


@pytest.fixture
def role(postgres_server: Server) -> Iterator[str]:
    """A role that may log in, and nothing else."""
    name = f"r_{uuid.uuid4().hex}"
    postgres_server.run(f"CREATE ROLE {name} LOGIN")
    yield name
    postgres_server.run(f"DROP ROLE {name}")


def as_role(url: str, role: str) -> str:
    return url.replace("postgres@", f"{role}@", 1)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_role_that_may_create_nothing_is_told_who_can(config: DBOSConfig, role: str) -> None:
    config["system_database_url"] = as_role(str(config["system_database_url"]), role)
    DBOS(config=config)
    with pytest.raises(SchemaPermissionError) as raised:
        DBOS.launch()
    said = str(raised.value)
    assert "refuses to create or to use the system tables: permission denied for database" in said
    assert "DBOS.migrate(url, application_role=…)" in said
    DBOS.destroy()


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_role_that_may_use_nothing_is_told_and_works_once_it_is_granted(
    database_url: str, role: str, launch: Launch
) -> None:
    run_dbos_database_migrations(database_url)
    url = as_role(database_url, role)
    with pytest.raises(SchemaPermissionError, match="permission denied for schema dbos"):
        DBOSClient(system_database_url=url)
    run_dbos_database_migrations(database_url, application_role=role)
    try:
        launch(system_database_url=url, run_migrations=False)
        assert DBOS.list_workflows() == []
    finally:
        DBOS.destroy()
        with psycopg.connect(database_url, autocommit=True) as owner:
            owner.execute(f"DROP OWNED BY {role}".encode())


def test_tables_that_only_dbos_made_are_told_to_a_launch_that_creates_nothing(
    database_url: str, launch: Launch
) -> None:
    run_dbos_database_migrations(database_url)
    database = open_database(database_url)
    try:
        with database.writing() as session:
            session.script(f"DROP TABLE {session.dialect.table('dboshub_executor')}")
    finally:
        database.close()
    with pytest.raises(HubTablesMissingError) as raised:
        launch(run_migrations=False)
    assert "There are no tables dboshub_executor beside the system tables in" in str(raised.value)
    DBOS.destroy()
    launch()
    assert DBOS.list_workflows() == []
