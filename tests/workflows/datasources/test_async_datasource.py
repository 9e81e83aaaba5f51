"""The async datasource: what it has in common with the sync one, once more, and what it has not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import sessionmaker

from dboshub import DBOS, AsyncSQLAlchemyDatasource, SetWorkflowID
from dboshub.workflows.engine.errors import DBOSException, DBOSInitializationError
from tests.support.eventually import eventually
from tests.workflows.datasources.conftest import Ask

INSERT = text("INSERT INTO effects VALUES (:name)")
CHECKPOINTS = "SELECT workflow_id, step_id FROM dbos.datasource_outputs ORDER BY 1, 2"


@pytest.fixture
async def source(
    application_url: str, ask: Ask, no_other_datasources: None
) -> AsyncIterator[AsyncSQLAlchemyDatasource]:
    made = await AsyncSQLAlchemyDatasource.create(application_url)
    yield made
    await made.close()


@pytest.fixture
async def hub(source: AsyncSQLAlchemyDatasource, launch: Callable[..., None]) -> type[DBOS]:
    launch()
    return DBOS


@pytest.fixture
def save(source: AsyncSQLAlchemyDatasource) -> Callable[[str], Any]:
    @source.transaction(name="save")
    async def save(name: str) -> str:
        await source.sql_session().execute(INSERT, {"name": name})
        if name == "bad":
            raise ValueError(name)
        return name

    return save  # type: ignore[no-any-return]


def names(ask: Ask) -> list[str]:
    return [name for (name,) in ask("SELECT name FROM effects ORDER BY name")]


async def test_data_and_checkpoint_commit_together_and_once(
    save: Callable[[str], Any], source: AsyncSQLAlchemyDatasource, hub: type[DBOS], ask: Ask
) -> None:
    async def count() -> int:
        return int((await source.sql_session().execute(text("SELECT 1"))).scalar_one())

    seen = []

    @DBOS.workflow(name="async_datasource.once")
    async def once() -> list[Any]:
        both = await asyncio.gather(save("a"), save("b"))
        counted = await source.run_tx_step_async({"name": "count"}, count)
        seen.extend(ask(CHECKPOINTS))
        try:
            await save("bad")
        except ValueError as error:
            return [*both, counted, str(error)]
        return []

    for _ in range(2):
        with SetWorkflowID("w"):
            assert await once() == ["a", "b", 1, "bad"]
    in_background = await DBOS.start_workflow_async(once)
    assert await in_background.get_result() == ["a", "b", 1, "bad"]
    assert names(ask) == ["a", "a", "b", "b"]
    assert seen[:3] == [("w", 1), ("w", 2), ("w", 3)]
    await asyncio.to_thread(eventually, lambda: ask(CHECKPOINTS) == [])  # on this loop, once idle
    recorded = [step["function_name"] for step in await DBOS.list_workflow_steps_async("w")]
    assert recorded == ["save", "save", "count", "save"]


async def test_a_rewound_workflow_forgets_what_it_had_committed(
    save: Callable[[str], Any], hub: type[DBOS], ask: Ask
) -> None:
    @DBOS.workflow(name="async_datasource.cancelled")
    async def cancelled() -> str:
        await save("a")
        if len(names(ask)) < 2:
            await DBOS.cancel_workflow_async("w")
        return "through"

    with SetWorkflowID("w"):
        handle = await DBOS.start_workflow_async(cancelled)
    with pytest.raises(DBOSException):
        await handle.get_result()
    assert ask(CHECKPOINTS) == [("w", 1)]
    rewound = await DBOS.rewind_workflow_async("w")
    assert await rewound.get_result() == "through"
    assert names(ask) == ["a", "a"]
    await asyncio.to_thread(eventually, lambda: ask(CHECKPOINTS) == [])


async def test_outside_a_workflow_it_is_a_transaction_only(
    save: Callable[[str], Any], hub: type[DBOS], ask: Ask
) -> None:
    assert await save("a") == "a"
    with pytest.raises(ValueError, match="bad"):
        await save("bad")
    assert (names(ask), ask(CHECKPOINTS)) == (["a"], [])


async def test_what_no_transaction_can_be_is_refused_with_advice(
    source: AsyncSQLAlchemyDatasource, application_url: str
) -> None:
    with pytest.raises(DBOSException, match="coroutine function"):
        source.transaction(len)
    with pytest.raises(AssertionError, match="within"):
        source.sql_session()
    with pytest.raises(DBOSInitializationError, match="postgresql://"):
        await AsyncSQLAlchemyDatasource.migrate("mysql://localhost/application")
    await AsyncSQLAlchemyDatasource.migrate(application_url, application_role="pg_monitor")
    await source.verify_migrations()
    await source.run_migrations()


async def test_its_engine_serves_work_outside_transactions(
    source: AsyncSQLAlchemyDatasource,
) -> None:
    async with source.engine.connect() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
    assert source.created_engine


async def test_sessions_of_the_blocking_kind_are_refused(application_url: str) -> None:
    given: Any = sessionmaker()
    with pytest.raises(DBOSException, match="requires an async_sessionmaker"):
        await AsyncSQLAlchemyDatasource.create(application_url, sessionmaker=given)
