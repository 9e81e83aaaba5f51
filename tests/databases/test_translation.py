"""Statements with one text have the same meaning on both databases."""

from __future__ import annotations

import json
import time

import pytest

from dboshub.workflows.storage import fragments
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Statement

INSERT = Statement("""
    INSERT INTO {workflow_status} (workflow_uuid, status, attributes)
    VALUES (:id, 'PENDING', CAST(:attributes AS jsonb))
""")


@pytest.fixture
def filled(database: Database) -> Database:
    with database.writing() as session:
        for id, attributes in (("a", '{"n": 1}'), ("b", None), ("c", '{"n": 3}')):
            session.run(INSERT, id=id, attributes=attributes)
    return database


def test_a_list_parameter_selects_rows_by_id(filled: Database) -> None:
    found = Statement(
        "SELECT workflow_uuid FROM {workflow_status} WHERE workflow_uuid = ANY(:ids) ORDER BY 1"
    )
    with filled.reading() as session:
        assert session.all(found, ids=session.ids(["c", "a", "x"])) == [("a",), ("c",)]
        assert session.all(found, ids=session.ids([])) == []


@pytest.mark.parametrize(
    "lock", ["FOR UPDATE", "FOR NO KEY UPDATE", "FOR NO KEY UPDATE OF s SKIP LOCKED"]
)
def test_a_locked_row_is_read(filled: Database, lock: str) -> None:
    text = f"SELECT status FROM {{workflow_status}} AS s WHERE workflow_uuid = :id {lock}"
    with filled.writing() as session:
        assert session.one(Statement(text), id="b") == ("PENDING",)


def test_rows_locked_by_id_meet_the_condition(filled: Database) -> None:
    condition = fragments.locked_ids("attributes IS NOT NULL")
    update = f"UPDATE {{workflow_status}} SET status = 'ERROR' WHERE {condition}"
    with filled.writing() as session:
        assert session.run(Statement(update), ids=session.ids(["a", "b"])) == 1
        rows = session.all(Statement("SELECT workflow_uuid, status FROM {workflow_status}"))
    assert dict(rows) == {"a": "ERROR", "b": "PENDING", "c": "PENDING"}


def test_a_table_is_looked_up(filled: Database) -> None:
    for table, exists in (("workflow_status", True), ("no_such_table", False)):
        with filled.reading() as session:
            found = session.one(Statement(f"SELECT {fragments.table_exists(table)}"))
        assert found is not None
        assert bool(found[0]) is exists


@pytest.mark.parametrize("clock", [fragments.CLOCK_MS, fragments.STATEMENT_MS])
def test_clocks_give_epoch_milliseconds(database: Database, clock: str) -> None:
    before = int(time.time() * 1000)
    with database.reading() as session:
        found = session.one(Statement(f"SELECT {clock}"))
    assert found is not None
    assert before - 1000 <= found[0] <= int(time.time() * 1000) + 1000


@pytest.mark.parametrize(("expression", "value"), [("LEAST(3, 2)", 2), ("octet_length('abc')", 3)])
def test_a_function_gives_one_value(database: Database, expression: str, value: int) -> None:
    with database.reading() as session:
        assert session.one(Statement(f"SELECT {expression}")) == (value,)


def test_rows_become_one_json_list(filled: Database) -> None:
    text = "SELECT CAST(json_agg(json_build_array(workflow_uuid, status)) AS text)"
    with filled.reading() as session:
        found = session.one(Statement(f"{text} FROM {{workflow_status}}"))
    assert found is not None
    assert sorted(json.loads(found[0])) == [[id, "PENDING"] for id in "abc"]
