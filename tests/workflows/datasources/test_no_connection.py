"""A transaction that finds no connection for a moment waits for one: its workflow hears nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from dboshub import DBOS, AsyncSQLAlchemyDatasource, SetWorkflowID, SQLAlchemyDatasource
from dboshub.workflows.engine.ports import StorageUnavailableError
from dboshub.workflows.storage.transient_errors import before_user_code
from tests.support.descriptors import no_descriptors, tries_again
from tests.support.eventually import eventually
from tests.support.ports import free_port
from tests.workflows.datasources.conftest import Ask

INSERT = text("INSERT INTO effects VALUES (:name)")
functions: dict[str, Callable[[], str]] = {}
go_on = threading.Event()


@DBOS.transaction(name="no_connection.ambient")
def ambient() -> str:
    DBOS.sql_session.execute(text("SELECT 1"))
    return "done"


@DBOS.workflow(name="no_connection.in_a_workflow")
def in_a_workflow(name: str) -> str:
    assert go_on.wait(20)
    return functions[name]()


@pytest.mark.parametrize("name", ["ambient", "datasource"])
def test_a_process_without_descriptors(
    name: str,
    source: SQLAlchemyDatasource,
    hub: type[DBOS],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @source.transaction(name="no_connection.datasource")
    def datasource() -> str:
        source.sql_session().execute(INSERT, {"name": "a"})
        return "done"

    monkeypatch.setitem(functions, "ambient", ambient)
    monkeypatch.setitem(functions, "datasource", datasource)
    go_on.clear()
    with SetWorkflowID("w"):
        handle = DBOS.start_workflow(in_a_workflow, name)
    source.close()  # its kept connections
    with no_descriptors():
        go_on.set()
        eventually(lambda: tries_again("w"))
    assert handle.get_result() == "done"


async def test_a_process_without_descriptors_awaits(
    application_url: str, ask: Ask, no_other_datasources: None, launch: Callable[..., None]
) -> None:
    source = await AsyncSQLAlchemyDatasource.create(application_url)

    @source.transaction(name="no_connection.async_datasource")
    async def save() -> str:
        await source.sql_session().execute(INSERT, {"name": "a"})
        return "done"

    @DBOS.workflow(name="no_connection.awaits")
    async def awaits() -> str:
        return await save()

    launch()
    await source.close()
    with SetWorkflowID("w"):
        handle = await DBOS.start_workflow_async(awaits)
    with no_descriptors():
        await asyncio.to_thread(eventually, lambda: tries_again("w"))
    assert await handle.get_result() == "done"
    await source.close()


def test_a_driver_without_a_thread_for_its_connection_is_waited_for() -> None:
    with pytest.raises(StorageUnavailableError), before_user_code():
        raise RuntimeError("can't start new thread")
    with pytest.raises(RuntimeError, match="of a program"), before_user_code():
        raise RuntimeError("of a program")


def test_only_who_creates_a_datasource_is_told_that_there_is_no_server(tmp_path: Path) -> None:
    """A later outage is no error of a workflow; a folder that is gone is."""
    with pytest.raises(StorageUnavailableError), before_user_code():
        SQLAlchemyDatasource.create(f"postgresql://nobody@127.0.0.1:{free_port()}/shop")
    with pytest.raises(Exception, match="there is no directory"), before_user_code():
        SQLAlchemyDatasource.create(f"sqlite:///{tmp_path / 'gone' / 'shop.sqlite3'}")
