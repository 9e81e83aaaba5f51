"""Transactions on a database of the application's own, as steps that happen exactly once."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import async_sessionmaker

from dboshub import DBOS, Serializer, SetWorkflowID, SQLAlchemyDatasource
from dboshub.workflows.engine.errors import DBOSException, DBOSInitializationError
from tests.support.eventually import eventually
from tests.workflows.datasources.conftest import Ask

INSERT = text("INSERT INTO effects VALUES (:name)")
CHECKPOINTS = "SELECT workflow_id, step_id FROM dbos.datasource_outputs ORDER BY 1, 2"


class Json(Serializer):
    def serialize(self, data: Any) -> str:
        return json.dumps(data)

    def deserialize(self, serialized_data: str) -> Any:
        return json.loads(serialized_data)


@pytest.fixture
def save(source: SQLAlchemyDatasource) -> Callable[[str], str]:
    @source.transaction
    def save(name: str) -> str:
        source.sql_session().execute(INSERT, {"name": name})
        return name

    return save  # type: ignore[no-any-return]


def names(ask: Ask) -> list[str]:
    return [name for (name,) in ask("SELECT name FROM effects ORDER BY name")]


def steps(workflow_id: str) -> list[tuple[int, str]]:
    return [
        (step["function_id"], step["function_name"].rsplit(".", 1)[-1])
        for step in DBOS.list_workflow_steps(workflow_id)
    ]


def test_data_and_checkpoint_commit_together_and_once(
    save: Callable[[str], str], source: SQLAlchemyDatasource, hub: type[DBOS], ask: Ask
) -> None:
    seen = []

    @DBOS.workflow(name="datasource.once")
    def once() -> list[Any]:
        first = save("a")
        seen.extend(ask(CHECKPOINTS))
        second = source.run_tx_step({"name": "sum", "isolation_level": "READ COMMITTED"}, sum, [1])
        return [first, second, source.run_tx_step(None, len, "four")]

    for _ in range(2):
        with SetWorkflowID("w"):
            assert once() == ["a", 1, 4]
    assert DBOS.fork_workflow("w", 4).get_result() == ["a", 1, 4]
    assert names(ask) == ["a"]
    assert seen == [("w", 1)]
    assert ask(CHECKPOINTS) == []
    assert steps("w") == [(1, "save"), (2, "sum"), (3, "len")]


def test_a_failed_transaction_leaves_nothing_but_its_error(
    source: SQLAlchemyDatasource, hub: type[DBOS], ask: Ask
) -> None:
    seen = []

    @source.transaction(name="refused")
    def refused() -> None:
        source.sql_session().execute(INSERT, {"name": "a"})
        source.sql_session().execute(INSERT, {"name": None})

    @DBOS.workflow(name="datasource.failing")
    def failing() -> str:
        try:
            refused()
        except IntegrityError:
            seen.extend(ask(CHECKPOINTS))
            return "caught"
        return "never"

    with SetWorkflowID("w"):
        assert failing() == "caught"
    assert (names(ask), seen) == ([], [("w", 1)])
    (step,) = DBOS.list_workflow_steps("w")
    assert (step["function_name"], type(step["error"])) == ("refused", IntegrityError)


def test_what_was_committed_before_a_crash_is_found_and_not_done_again(
    save: Callable[[str], str], source: SQLAlchemyDatasource, hub: type[DBOS], ask: Ask
) -> None:
    ask(
        "INSERT INTO dbos.datasource_outputs (workflow_id, step_id, output, serialization) "
        "VALUES ('w', 1, :output, 'portable_json')",
        output='"from before"',
    )

    @DBOS.workflow(name="datasource.resumed")
    def resumed() -> str:
        return save("a")

    with SetWorkflowID("w"):
        assert resumed() == "from before"
    assert names(ask) == []


def test_a_workflow_that_lost_its_row_saves_nothing(
    source: SQLAlchemyDatasource, hub: type[DBOS], ask: Ask
) -> None:
    @source.transaction
    def stolen() -> None:
        source.sql_session().execute(INSERT, {"name": "a"})
        DBOS.cancel_workflow("w")

    @DBOS.workflow(name="datasource.loser")
    def loser() -> None:
        stolen()

    with SetWorkflowID("w"):
        handle = DBOS.start_workflow(loser)
    eventually(lambda: handle.get_status().status == "CANCELLED")
    eventually(lambda: "w" not in running())
    assert (names(ask), ask(CHECKPOINTS), steps("w")) == ([], [], [])


def test_transactions_that_collide_are_repeated_until_none_is_lost(
    source: SQLAlchemyDatasource, hub: type[DBOS], ask: Ask
) -> None:
    ask("INSERT INTO counter VALUES (0)")

    @source.transaction
    def increment() -> None:
        session = source.sql_session()
        value = session.execute(text("SELECT value FROM counter")).scalar_one()
        session.execute(text("UPDATE counter SET value = :value"), {"value": value + 1})

    @DBOS.workflow(name="datasource.increment")
    def incrementing() -> None:
        increment()

    handles = [DBOS.start_workflow(incrementing) for _ in range(8)]
    for handle in handles:
        handle.get_result()
    assert ask("SELECT value FROM counter") == [(8,)]


def test_outside_a_workflow_it_is_a_transaction_only(
    save: Callable[[str], str], source: SQLAlchemyDatasource, hub: type[DBOS], ask: Ask
) -> None:
    def twice() -> None:
        save("a")
        save("b")
        raise ValueError("neither")

    assert save("c") == "c"
    with pytest.raises(ValueError, match="neither"):
        source.run_tx_step(None, twice)
    assert (names(ask), ask(CHECKPOINTS)) == (["c"], [])


def test_a_rewound_workflow_does_again_what_it_forgot_and_no_more(
    save: Callable[[str], str], hub: type[DBOS], ask: Ask
) -> None:
    @DBOS.workflow(name="datasource.waiting")
    def waiting() -> None:
        save("a")
        save("b")
        DBOS.recv("never", 60)

    def cancel_when_it_waits() -> None:
        eventually(lambda: len(steps("w")) >= 2)
        DBOS.cancel_workflow("w")
        eventually(lambda: "w" not in running())

    with SetWorkflowID("w"):
        DBOS.start_workflow(waiting)
    cancel_when_it_waits()
    DBOS.rewind_workflow("w", start_step=2)
    cancel_when_it_waits()
    assert names(ask) == ["a", "b", "b"]


def test_a_serializer_of_its_own_writes_the_checkpoints(
    application_url: str,
    ask: Ask,
    no_other_datasources: None,
    launch: Callable[..., None],
) -> None:
    source = SQLAlchemyDatasource.create(application_url, serializer=Json())
    launch()
    seen: list[Any] = []

    @DBOS.workflow(name="datasource.json")
    def in_json() -> Any:
        value = source.run_tx_step(None, lambda: (1, 2))
        seen.extend(ask("SELECT output, serialization FROM dbos.datasource_outputs"))
        return value

    assert in_json() == [1, 2]
    assert seen == [("[1, 2]", "custom_serializer")]
    source.close()


def test_what_no_transaction_can_be_is_refused_with_advice(
    source: SQLAlchemyDatasource, hub: type[DBOS], application_url: str
) -> None:
    async def nothing() -> None: ...

    with pytest.raises(DBOSException, match="is a coroutine"):
        source.transaction(nothing)
    with pytest.raises(DBOSException, match="is a coroutine"):
        source.run_tx_step(None, nothing)
    with pytest.raises(DBOSException, match="bogus"):
        source.run_tx_step({"bogus": 1}, len, "")  # type: ignore[typeddict-unknown-key]
    with pytest.raises(DBOSException, match="isolation level"):
        source.transaction(isolation_level="CHAOS")(len)  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="within"):
        source.sql_session()
    with pytest.raises(DBOSException, match="before"):
        SQLAlchemyDatasource.create(application_url)
    with pytest.raises(DBOSInitializationError, match="postgresql://"):
        SQLAlchemyDatasource.migrate("mysql://localhost/application")


def test_tables_are_created_when_asked_and_only_then(
    application_url: str, ask: Ask, no_other_datasources: None
) -> None:
    with pytest.raises(DBOSInitializationError, match="version 0"):
        SQLAlchemyDatasource.create(application_url, run_migrations=False)
    role = ask("SELECT 1")
    SQLAlchemyDatasource.migrate(application_url, schema="dbos", application_role="pg_monitor")
    SQLAlchemyDatasource.migrate(application_url)
    made = SQLAlchemyDatasource.create(application_url, run_migrations=False)
    made.verify_migrations()
    made.run_migrations()
    made.close()
    assert ask("SELECT version FROM dbos.dbos_datasource_migrations") == role


def test_without_sqlalchemy_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, launch: Callable[..., None]
) -> None:
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(DBOSInitializationError, match=r"pip install 'dboshub\[sqlalchemy\]'"):
        SQLAlchemyDatasource.create("sqlite:///x")
    launch()
    with pytest.raises(DBOSInitializationError, match=r"pip install 'dboshub\[sqlalchemy\]'"):
        DBOS.transaction()(lambda: DBOS.sql_session)()


def running() -> list[str]:
    from dboshub.workflows.engine.current_engine import engine

    return [each.workflow_id for each in engine().executions]


def test_only_an_engine_that_it_made_is_its_own(
    source: SQLAlchemyDatasource, application_url: str
) -> None:
    assert source.created_engine
    given = SQLAlchemyDatasource.create(application_url, engine=source.engine)
    assert not given.created_engine
    given.close()


def test_sessions_of_the_awaited_kind_are_refused(application_url: str) -> None:
    given: Any = async_sessionmaker()
    with pytest.raises(DBOSException, match=r"requires a sqlalchemy.orm.sessionmaker"):
        SQLAlchemyDatasource.create(application_url, sessionmaker=given)
