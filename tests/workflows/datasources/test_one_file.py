"""A datasource on the system database's own SQLite file, which takes one writer at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from dboshub import DBOS, AsyncSQLAlchemyDatasource, SetWorkflowID, SQLAlchemyDatasource
from dboshub.workflows.engine.errors import DBOSException
from tests.workflows.datasources.conftest import Ask

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
INSERT = text("INSERT INTO effects VALUES ('a')")


@pytest.fixture
def application_url(database_url: str) -> str:
    return database_url


@pytest.fixture
def hub(source: SQLAlchemyDatasource, launch: Callable[..., None]) -> type[DBOS]:
    launch()
    return DBOS


@pytest.fixture
async def awaited(
    application_url: str, ask: Ask, no_other_datasources: None, launch: Callable[..., None]
) -> AsyncSQLAlchemyDatasource:
    made = await AsyncSQLAlchemyDatasource.create(application_url)
    launch()
    return made


def test_what_a_transaction_asks_of_the_engine_is_a_part_of_it(
    source: SQLAlchemyDatasource, hub: type[DBOS], ask: Ask
) -> None:
    @source.transaction(name="file.pay")
    def pay(fails: bool) -> None:
        source.sql_session().execute(INSERT)
        DBOS.set_event("paid", fails)
        DBOS.send(DBOS.workflow_id, "receipt", topic="mail")
        DBOS.write_stream("log", fails)
        assert DBOS.get_workflow_status(DBOS.workflow_id).status == "PENDING"
        if fails:
            raise ValueError("card declined")

    @DBOS.workflow(name="file.buys")
    def buys(fails: bool) -> list[Any]:
        try:
            pay(fails)
        except ValueError:
            return ["declined", DBOS.recv("mail", timeout_seconds=0)]
        return ["paid", DBOS.recv("mail", timeout_seconds=0)]

    with SetWorkflowID("bad"):
        assert buys(True) == ["declined", None]
    assert (DBOS.get_all_events("bad"), ask("SELECT name FROM effects")) == ({}, [])
    with SetWorkflowID("good"):
        assert buys(False) == ["paid", "receipt"]
    assert (DBOS.get_all_events("good"), ask("SELECT name FROM effects")) == (
        {"paid": False},
        [("a",)],
    )
    source.run_tx_step(None, DBOS.send, "good", "outside of any workflow", "mail")
    assert ask("SELECT consumed FROM notifications ORDER BY 1") == [(0,), (1,)]


async def test_a_coroutine_s_transaction_takes_them_in_as_well(
    awaited: AsyncSQLAlchemyDatasource, ask: Ask
) -> None:
    @awaited.transaction(name="file.pay_later")
    async def pay(fails: bool) -> None:
        await awaited.sql_session().execute(INSERT)
        await DBOS.set_event_async("paid", fails)
        if fails:
            await asyncio.to_thread(DBOS.set_event, "paid", "by a thread")

    @DBOS.workflow(name="file.buys_later")
    async def buys(fails: bool) -> str:
        try:
            await pay(fails)
        except DBOSException as error:
            return str(error)
        return "paid"

    with SetWorkflowID("bad"):
        assert "use the call's _async form" in await buys(True)
    with SetWorkflowID("good"):
        assert await buys(False) == "paid"
    assert await DBOS.get_all_events_async("bad") == {}
    assert await DBOS.get_all_events_async("good") == {"paid": False}
    assert len(ask("SELECT name FROM effects")) == 1
