"""A long line of what cannot run here: a claim reads a part of it, and reaches what lies beyond."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from dboshub.queues.engine.settings import QueueSettings
from dboshub.queues.storage import bounded_look
from dboshub.queues.storage.bounded_look import (
    FROM_FIRST_EVERY_S,
    ROWS_AT_ONCE,
    LineCursor,
    LinePastRefused,
    claim_partitions_past_refused,
    claim_past_refused,
)
from dboshub.queues.storage.limited_claim import claim_within_limits
from dboshub.queues.storage.store import QueueStore
from dboshub.queues.storage.survey import SURVEY, survey
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Statement
from tests.queues.rows import APP, VERSION, claim_request, enqueue, run, tokens
from tests.queues.test_dispatcher import register
from tests.workflows.selectors.test_plans import examined

REFUSED = [b"unknown\x1f\x1f\x1f".hex()]
AT_ONCE = 10
LINE = Statement("""
    WITH RECURSIVE numbers (n) AS (
        SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :rows
    )
    INSERT INTO {workflow_status} (
        workflow_uuid, status, name, queue_name, created_at, updated_at, application_name,
        application_version
    )
    SELECT 'w' || n, 'ENQUEUED', 'work', 'q3', n, n, 'shop', 'v1'
    FROM numbers
""")
EMPTY = Statement("DELETE FROM {workflow_status}")


@pytest.fixture
def cursor() -> LineCursor:
    return LineCursor(at_once=AT_ONCE)


def look(database: Database, cursor: LineCursor, now: float = 0.0) -> tuple[list[str], bool]:
    with database.writing() as session:
        request = claim_request(tokens(3), refused=REFUSED)
        claim = claim_past_refused(session, request, cursor, now)
    return [each.workflow_id for each in claim.workflows], claim.has_more


def looks(database: Database, cursor: LineCursor, count: int) -> list[tuple[list[str], bool]]:
    return [look(database, cursor) for _ in range(count)]


@pytest.mark.parametrize("columns", [{}, {"created_at": 5_000}], ids=["in time", "of one moment"])
def test_what_stands_behind_many_refused_is_reached_part_by_part(
    columns: dict[str, Any], database: Database, cursor: LineCursor
) -> None:
    enqueue(database, count=35, name="unknown", **columns)
    known = enqueue(database, count=3, **({"created_at": 5_001} if columns else {}))
    assert looks(database, cursor, 4) == [([], True)] * 3 + [(known, False)]
    [late] = enqueue(database, **({"created_at": 5_002} if columns else {}))
    assert look(database, cursor) == ([late], False), "the refused are not looked at again"


def test_nothing_that_can_run_is_passed_over(database: Database, cursor: LineCursor) -> None:
    def pair() -> list[str]:
        enqueue(database, count=9, name="unknown")
        return enqueue(database, count=2)

    known = [pair() for _ in range(5)]
    taken: list[str] = []
    for found, _ in looks(database, cursor, 10):
        taken += found
    assert taken == [each for pair in known for each in pair]


def test_the_head_of_the_line_is_looked_at_again_soon(
    database: Database, cursor: LineCursor
) -> None:
    enqueue(database, count=15, name="unknown", priority=5)
    looks(database, cursor, 2)
    urgent = enqueue(database, priority=1)
    assert look(database, cursor) == ([], False)
    assert look(database, cursor, FROM_FIRST_EVERY_S) == (urgent, True)


def test_limits_hold_past_the_refused(database: Database, cursor: LineCursor) -> None:
    register(database, "q", concurrency=2)
    line = LinePastRefused()
    line._cursor = cursor
    enqueue(database, count=15, name="unknown")
    known = enqueue(database, count=3)

    def take() -> tuple[list[str], bool, bool]:
        with database.writing() as session:
            request = claim_request(tokens(3), refused=REFUSED)
            claim = claim_within_limits(session, request, None, line)
        return [each.workflow_id for each in claim.workflows], claim.limited, claim.has_more

    assert [take() for _ in range(3)] == [
        ([], False, True),
        (known[:2], True, False),
        ([], True, False),
    ]


def test_partitions_are_claimed_from_past_the_refused(database: Database) -> None:
    key = {"queue_partition_key": "a"}
    enqueue(database, count=15, name="unknown", **key)
    known = enqueue(database, count=3, **key)
    other = enqueue(database, count=2, queue_partition_key="b")
    cursors = {"a": LineCursor(at_once=AT_ONCE)}

    def take() -> tuple[set[str], bool]:
        with database.writing() as session:
            request = claim_request(tokens(9), refused=REFUSED)
            claim = claim_partitions_past_refused(session, request, {"a": 2, "b": 1}, cursors, 0.0)
        return {each.workflow_id for each in claim.workflows}, claim.has_more

    assert take() == ({other[0]}, True)
    assert take() == ({*known[:2], other[1]}, False)
    assert take() == ({known[2]}, False)
    assert [*cursors] == ["a"]


def test_a_store_reaches_what_stands_in_a_partition(database: Database) -> None:
    register(database, "q", partition_concurrency=2)
    enqueue(database, count=ROWS_AT_ONCE + 1, application_version="v2", queue_partition_key="a")
    [known] = enqueue(database, queue_partition_key="a")
    store = QueueStore(database, application=APP, version=VERSION, executor_id="local")
    [settings] = [each.queue for each in store.survey() if each.queue.name == "q"]
    claims = [store.claim(settings, tokens(3), lambda key: 0) for _ in range(2)]
    assert [[each.workflow_id for each in claim.workflows] for claim in claims] == [[], [known]]
    assert claims[0].has_more


@pytest.mark.parametrize("other", [{"name": "unknown"}, {"application_version": "v2"}], ids=str)
def test_a_store_reaches_what_stands_behind_work_for_others(
    other: dict[str, Any], database: Database
) -> None:
    """Rows of other versions hide a line as well as functions that this process does not know."""
    register(database, "q")
    enqueue(database, count=ROWS_AT_ONCE + 1, **other)
    known = enqueue(database)
    refused = REFUSED if "name" in other else []
    store = QueueStore(
        database, application=APP, version=VERSION, executor_id="local", refused=lambda: refused
    )
    found = {each.queue.name: each for each in store.survey()}["q"]
    assert (found.ready, found.begins_with_others) == (True, True)
    claims = [store.claim(QueueSettings(name="q"), tokens(3), lambda key: 0) for _ in range(2)]
    assert [(len(each.workflows), each.has_more) for each in claims] == [(0, True), (1, False)]
    assert claims[1].workflows[0].workflow_id == known[0]


def test_a_short_line_for_others_is_not_ready(database: Database) -> None:
    register(database, "q")
    enqueue(database, count=ROWS_AT_ONCE, name="unknown")
    with database.reading() as session:
        found = {each.queue.name: each for each in survey(session, APP, VERSION, refused=REFUSED)}
    assert (found["q"].ready, found["q"].begins_with_others) == (False, False)


@pytest.mark.parametrize("statement", [bounded_look.LOOK, SURVEY], ids=["look", "survey"])
def test_what_is_read_does_not_grow_with_the_line(
    statement: Statement, database: Database, database_url: str
) -> None:
    register(database, "q3")
    params = {
        "application": APP,
        "version": VERSION,
        "now": None,
        "kafka_interval": None,
        "queue": "q3",
        "priority": 0,
        "created_at": 0,
        "skipped": 0,
        "most": AT_ONCE,
    }
    short, long = (read_of(database, database_url, statement, params, n) for n in (5_000, 20_000))
    assert long < 1.5 * short


def read_of(
    database: Database, url: str, statement: Statement, params: dict[str, Any], rows: int
) -> int:
    """What a statement reads when so many rows stand in the line, all of them refused.

    PostgreSQL counts rows of the table, SQLite the instructions of its virtual machine.
    """
    run(database, EMPTY)
    run(database, LINE, rows=rows)
    refused = [b"work\x1f\x1f\x1f".hex()]
    if database.vendor == "postgresql":
        explained = Statement(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.postgres}")
        with database.writing() as session:
            session.script("ANALYZE")
            row = session.one(explained, refused=session.ids(refused), **params)
        assert row is not None
        return examined(row[0][0]["Plan"])
    steps: list[int] = []
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as raw:
        raw.set_progress_handler(lambda: steps.append(1), 1)
        raw.execute(
            database.dialect.text(statement), {**params, "refused": json.dumps(refused)}
        ).fetchall()
    return len(steps)
