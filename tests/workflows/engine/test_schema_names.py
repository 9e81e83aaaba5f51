"""The system tables, and those of datasources, in a schema of any name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from dboshub import DBOS, DBOSClient, SQLAlchemyDatasource
from dboshub.workflows.engine.errors import DatabaseUrlError
from dboshub.workflows.storage.database import open_database

NAMES = ["Tenant-A", "my schema:x", 'we"ird', "a%b'c", "ünï", "{workflow_status}"]


@DBOS.workflow()
def schema_echo(value: int) -> int:
    DBOS.set_event("key", value)
    return value


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_may_have_any_name(
    name: str, launch: Callable[..., None], database_url: str
) -> None:
    launch(dbos_system_schema=name)
    DBOS.register_queue("queue", polling_interval_sec=0.05)
    assert schema_echo(1) == 1
    assert DBOS.enqueue_workflow("queue", schema_echo, 2).get_result() == 2
    assert len(DBOS.list_workflows()) == 2
    client = DBOSClient(system_database_url=database_url, dbos_system_schema=name)
    handle: Any = client.enqueue({"queue_name": "queue", "workflow_name": "schema_echo"}, 3)
    assert handle.get_result() == 3
    client.destroy()
    DBOS.destroy()
    role = "pg_monitor" if database_url.startswith("postgresql") else None
    DBOS.migrate(database_url, schema=name, application_role=role)
    DBOS.reset_system_database(system_database_url=database_url, schema=name, truncate=True)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("name", NAMES)
def test_so_may_that_of_a_datasource(name: str, database_url: str) -> None:
    source = SQLAlchemyDatasource.create(database_url, schema=name)
    one = source.run_tx_step(None, lambda: source.sql_session().execute(text("SELECT 1")).scalar())
    assert one == 1
    source.verify_migrations()
    source.close()


@pytest.mark.parametrize("name", ["", "pg_own", "x" * 64, "a\x00b"])
def test_what_no_schema_can_be_called_is_refused(name: str, database_url: str) -> None:
    with pytest.raises(DatabaseUrlError, match="schema name"):
        open_database(database_url, schema=name)
