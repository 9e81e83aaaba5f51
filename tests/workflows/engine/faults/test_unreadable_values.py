"""A value that cannot be read, though the database answers: an error, or a wait that is said.

It may need more memory than the server has, or cut the connection each time it is moved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dboshub import DBOS, DBOSClient, SetWorkflowID, WorkflowHandle
from dboshub.workflows.engine.journal import commit_retry
from dboshub.workflows.engine.runtime import insisting
from dboshub.workflows.storage import store
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Statement
from tests.support.black_hole import BlackHole
from tests.support.eventually import eventually
from tests.support.launched import config, dbos, launch
from tests.support.runs import add_workflow

__all__ = ["config", "dbos", "launch"]

MOST = 4_000_000
LARGE = "x" * (2 * MOST)
PAUSED = Statement("INSERT INTO {dboshub_queue_pause} (queue_name, paused_at) VALUES ('q', 1)")
UNPAUSED = Statement("DELETE FROM {dboshub_queue_pause}")
AGAIN = Statement("UPDATE {workflow_status} SET status = 'ENQUEUED', queue_name = 'q'")
caught: list[Exception] = []

NO_MEMORY = """
    CREATE FUNCTION {schema}.no_memory() RETURNS text LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'out of memory' USING ERRCODE = '53200'; END $$
"""


def unreadable(table: str, key: str, column: str, columns: str) -> Statement:
    """Put a view in the place of a table, in which `column` of the rows `key` cannot be read."""
    shown = "SELECT {columns}, CASE WHEN {key} THEN {error} ELSE {column} END AS {column} FROM kept"
    parts = {"columns": columns, "key": key, "column": column}
    postgres = shown.format(error="{schema}.no_memory()", **parts)
    sqlite = shown.format(error="zeroblob(2000000000 + length(workflow_uuid))", **parts)
    renamed = f"ALTER TABLE {{{table}}} RENAME TO kept;\nCREATE VIEW {{{table}}} AS "
    return Statement(
        postgres=f"{NO_MEMORY};\n{renamed}{postgres.replace('FROM kept', 'FROM {kept}')}",
        sqlite=renamed + sqlite,
    )


@DBOS.workflow()
def unreadable_length(value: str) -> int:
    return len(value)


@DBOS.step()
def unreadable_step(number: int) -> int:
    return number


@DBOS.workflow()
def unreadable_steps() -> int:
    try:
        return sum(unreadable_step(number) for number in range(3))
    except Exception as error:
        caught.append(error)
        return -1


@DBOS.workflow()
def unreadable_result() -> str:
    return LARGE


@DBOS.workflow()
def unreadable_awaited(workflow_id: str) -> int:
    return len(DBOS.get_result(workflow_id))


@DBOS.workflow()
def unreadable_message() -> int:
    return len(DBOS.recv("t", 60))


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "ATTEMPTS", 1)
    monkeypatch.setattr(insisting, "LONGEST_PAUSE_S", 0.02)
    monkeypatch.setattr(commit_retry, "RETRY_MAX_S", commit_retry.RETRY_FIRST_S)
    caught.clear()


@pytest.fixture
def client(dbos: type[DBOS], database: Database, database_url: str) -> Iterator[DBOSClient]:
    """A client; the queue that it enqueues on is paused."""
    found = DBOSClient(system_database_url=database_url)
    found.register_queue("q", polling_interval_sec=0.05)
    change(database, PAUSED)
    yield found
    found.destroy()


def change(database: Database, statement: Statement) -> None:
    with database.writing() as session:
        session.script(session.dialect.text(statement))


def enqueue(
    client: DBOSClient, workflow_id: str, function: Callable[..., object], *args: object
) -> WorkflowHandle[Any]:
    name = function.__qualname__
    return client.enqueue(
        {"queue_name": "q", "workflow_id": workflow_id, "workflow_name": name}, *args
    )


def test_arguments_that_cannot_be_read_are_an_error_of_their_workflow_alone(
    client: DBOSClient, database: Database
) -> None:
    handles = [enqueue(client, each, unreadable_length, "abc") for each in ("w1", "bad", "w2")]
    change(
        database, unreadable("workflow_input", "workflow_uuid = 'bad'", "inputs", "workflow_uuid")
    )
    change(database, UNPAUSED)
    assert [each.get_result() for each in handles[::2]] == [3, 3]
    with pytest.raises(Exception, match="its arguments cannot be read"):
        handles[1].get_result()


def test_a_step_that_cannot_be_read_is_no_error_that_a_body_catches(
    client: DBOSClient, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with SetWorkflowID("w"):
        assert unreadable_steps() == 3
    change(database, AGAIN)
    columns = (
        "workflow_uuid, function_id, function_name, error, serialization, child_workflow_id, "
        "started_at_epoch_ms, completed_at_epoch_ms"
    )
    change(database, unreadable("operation_outputs", "function_id = 2", "output", columns))
    change(database, UNPAUSED)
    eventually(lambda: "w is left PENDING, its steps cannot be read" in caplog.text)
    assert caught == []
    assert client.retrieve_workflow("w").get_status().status == "PENDING"


@pytest.fixture
def narrow(database_url: str) -> Iterator[BlackHole]:
    """A way to the server on which large values cut the connection."""
    with BlackHole(database_url, most_at_once=MOST) as found:
        yield found


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_large_value_that_cuts_each_connection_is_an_error(
    narrow: BlackHole, launch: Callable[..., None]
) -> None:
    launch(system_database_url=narrow.url)
    handle = DBOS.start_workflow(unreadable_result)
    neighbour = DBOS.start_workflow(unreadable_length, "abc")
    assert neighbour.get_result() == 3
    with pytest.raises(Exception, match="the database answers others"):
        handle.get_result()
    assert narrow.cuts >= commit_retry.ATTEMPTS_WITH_LARGE


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_large_value_that_cannot_be_received_is_an_error(
    narrow: BlackHole, launch: Callable[..., None], database: Database, database_url: str
) -> None:
    """Of arguments, a message, and the result of another workflow."""
    launch(system_database_url=narrow.url)
    client = DBOSClient(system_database_url=database_url)
    client.register_queue("q")
    with database.writing() as session:
        add_workflow(session, "done", "SUCCESS", output=LARGE)
    large = enqueue(client, "large", unreadable_length, LARGE)
    small = enqueue(client, "small", unreadable_length, "abc")
    awaiting = DBOS.start_workflow(unreadable_awaited, "done")
    receiver = DBOS.start_workflow(unreadable_message)
    client.send(receiver.workflow_id, LARGE, "t")
    assert small.get_result() == 3
    for handle, error in (
        (large, "its arguments cannot be read"),
        (receiver, "cannot be kept"),
        (awaiting, "while it answers others"),
    ):
        with pytest.raises(Exception, match=error):
            handle.get_result()
    client.destroy()
