"""``DBOS.sql_session``: on the system database, beside it, and elsewhere, always exactly once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from dboshub import DBOS, SetWorkflowID
from dboshub.workflows.engine.errors import DBOSException
from tests.support.eventually import eventually
from tests.workflows.datasources.conftest import Ask
from tests.workflows.datasources.test_datasource import names, running, steps

INSERT = text("INSERT INTO effects VALUES (:name)")


@DBOS.transaction()
def save(name: str) -> str:
    DBOS.sql_session.execute(INSERT, {"name": name})
    return name


@DBOS.transaction(name="refused")
def save_and_fail(name: str) -> None:
    DBOS.sql_session.execute(INSERT, {"name": name})
    raise ValueError(name)


@DBOS.transaction("READ COMMITTED")
def count() -> int:
    return int(DBOS.sql_session.execute(text("SELECT count(*) FROM effects")).scalar_one())


@DBOS.transaction()
def save_and_tell(name: str) -> None:
    save(name)
    DBOS.set_event("saved", name)
    if name == "bad":
        raise ValueError(name)


@DBOS.workflow(name="sql_session.saving")
def saving(name: str) -> int:
    save(name)
    try:
        save_and_fail("never")
    except ValueError:
        return count()
    return -1


@DBOS.workflow(name="sql_session.telling")
def telling(name: str) -> None:
    save_and_tell(name)


@DBOS.workflow(name="sql_session.increments")
def increments() -> None:
    increment()


@DBOS.transaction()
def increment() -> None:
    value = DBOS.sql_session.execute(text("SELECT value FROM counter")).scalar_one()
    DBOS.sql_session.execute(text("UPDATE counter SET value = :value"), {"value": value + 1})


@pytest.fixture(params=["system database", "elsewhere"])
def application_url(request: pytest.FixtureRequest, database_url: str, tmp_path: Any) -> str:
    if request.param == "elsewhere":
        return f"sqlite:///{tmp_path / 'application.sqlite3'}"
    return database_url


@pytest.fixture
def hub(
    application_url: str,
    launch: Callable[..., None],
    no_other_datasources: None,
    request: pytest.FixtureRequest,
) -> type[DBOS]:
    is_said = "system database" not in request.node.callspec.id
    launch(application_database_url=application_url if is_said else None)
    return DBOS


@pytest.fixture(autouse=True)
def tables(hub: type[DBOS], ask: Ask) -> None:
    """What the application has, made after the system database is there."""


def test_data_and_checkpoint_commit_together_and_once(hub: type[DBOS], ask: Ask) -> None:
    for _ in range(2):
        with SetWorkflowID("w"):
            assert saving("a") == 1
    assert DBOS.fork_workflow("w", 4).get_result() == 1
    assert names(ask) == ["a"]
    assert steps("w") == [(1, "save"), (2, "refused"), (3, "count")]


def test_transactions_that_collide_are_repeated_until_none_is_lost(
    hub: type[DBOS], ask: Ask
) -> None:
    ask("INSERT INTO counter VALUES (0)")
    handles = [DBOS.start_workflow(increments) for _ in range(6)]
    for handle in handles:
        handle.get_result()
    assert ask("SELECT value FROM counter") == [(6,)]


def test_outside_a_workflow_it_is_a_transaction_only(hub: type[DBOS], ask: Ask) -> None:
    assert save("a") == "a"
    with pytest.raises(ValueError, match="never"):
        save_and_fail("never")
    assert names(ask) == ["a"]
    with pytest.raises(DBOSException, match="within"):
        _ = DBOS.sql_session


@pytest.mark.parametrize("application_url", ["system database", "its URL"], indirect=True)
def test_what_the_engine_writes_in_a_transaction_is_part_of_it(hub: type[DBOS], ask: Ask) -> None:
    with SetWorkflowID("good"):
        telling("good")
    with SetWorkflowID("bad"), pytest.raises(ValueError, match="bad"):
        telling("bad")
    assert names(ask) == ["good"]
    assert DBOS.get_event("good", "saved", 0) == "good"
    assert DBOS.get_event("bad", "saved", 0) is None


def test_a_workflow_that_lost_its_row_saves_nothing(hub: type[DBOS], ask: Ask) -> None:
    @DBOS.transaction()
    def stolen() -> None:
        DBOS.sql_session.execute(INSERT, {"name": "a"})

    @DBOS.workflow(name="sql_session.loser")
    def loser() -> None:
        DBOS.cancel_workflow("w")
        stolen()

    with SetWorkflowID("w"):
        handle = DBOS.start_workflow(loser)
    eventually(lambda: handle.get_status().status == "CANCELLED")
    eventually(lambda: "w" not in running())
    assert names(ask) == []
