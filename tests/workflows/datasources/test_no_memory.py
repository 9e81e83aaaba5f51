"""A transaction that the server has no memory for, each time: an error, after a number of tries."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from dboshub import DBOS, SQLAlchemyDatasource
from dboshub.workflows.engine.operations import ambient_transaction
from dboshub.workflows.engine.operations.ambient_transaction import ATTEMPTS_OF_ITSELF
from tests.workflows.datasources.conftest import Ask

NO_MEMORY = """
    CREATE FUNCTION no_memory() RETURNS text LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'out of memory' USING ERRCODE = '53200'; END $$
"""
TOO_LARGE = text("SELECT no_memory()")
tried: list[str] = []


@DBOS.transaction(name="no_memory.ambient")
def ambient() -> None:
    tried.append("ambient")
    DBOS.sql_session.execute(TOO_LARGE)


@DBOS.workflow(name="no_memory.in_a_workflow")
def in_a_workflow(name: str) -> None:
    transactions[name]()


transactions: dict[str, Callable[[], None]] = {"ambient": ambient}


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("name", ["ambient", "datasource"])
def test_a_transaction_that_fails_by_itself_is_not_tried_for_ever(
    name: str,
    source: SQLAlchemyDatasource,
    hub: type[DBOS],
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ambient_transaction, "MAX_PAUSE_MS", 1)
    ask(NO_MEMORY)
    tried.clear()

    @source.transaction(name="no_memory.datasource")
    def datasource() -> None:
        tried.append("datasource")
        source.sql_session().execute(TOO_LARGE)

    monkeypatch.setitem(transactions, "datasource", datasource)
    with pytest.raises(OperationalError, match="out of memory"):
        in_a_workflow(name)
    assert tried == [name] * ATTEMPTS_OF_ITSELF
