"""Rows of suspended workflows: every change is a compare-and-set, every look is bounded."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from dboshub.queues.storage.due_workflows import RELEASE
from dboshub.workflows.engine.suspension.records import (
    EVENT,
    MESSAGE,
    MUST_EXIST,
    RESULT,
    Departure,
    WaitRow,
    WakeKey,
)
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.schema.migrate import migrate
from dboshub.workflows.storage.sql import Statement
from dboshub.workflows.storage.suspension import leaving, waking
from dboshub.workflows.storage.suspension.store import SqlSuspensionStore
from tests.support.rows import insert

OWNER, NOW = "hub:1:1", 10_000_000
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
LETTER = WakeKey(MESSAGE, "w", "letters")
OWN = Statement("UPDATE {workflow_status} SET owner_xid = :owner WHERE workflow_uuid = :id")
LOCK = Statement("SELECT 1 FROM {workflow_status} WHERE workflow_uuid = :id FOR UPDATE")
ROW = Statement(
    "SELECT status, owner_xid, delay_until_epoch_ms, recovery_attempts FROM {workflow_status}"
    " WHERE workflow_uuid = :id"
)
SET = Statement("UPDATE {workflow_status} SET status = :status WHERE workflow_uuid = :id")
MESSAGE_ROW = Statement(
    "INSERT INTO {notifications} (message_uuid, destination_uuid, topic, message)"
    " VALUES ('m', :id, 'letters', '1')"
)
EVENT_ROW = Statement(
    "INSERT INTO {workflow_events} (workflow_uuid, key, value) VALUES (:id, 'price', '1')"
)


@pytest.fixture
def store(database: Database) -> SqlSuspensionStore:
    return SqlSuspensionStore(database)


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Database]:
    """SQLite has one writer: nobody meets a lock there."""
    opened = open_database(postgres_url)
    migrate(opened)
    yield opened
    opened.close()


def running(database: Database, *ids: str, created_at: int = 1_000) -> None:
    with database.writing() as session:
        for each in ids:
            insert(
                session,
                workflow_uuid=each,
                status="PENDING",
                created_at=created_at,
                application_name="shop",
                recovery_attempts=1,
            )
            session.run(OWN, id=each, owner=OWNER)


def row_of(database: Database, workflow_id: str) -> tuple[Any, ...]:
    with database.reading() as session:
        row = session.one(ROW, id=workflow_id)
    assert row is not None
    return row


def run(database: Database, statement: Statement, **params: Any) -> None:
    with database.writing() as session:
        session.run(statement, **params)


def waits_in(store: SqlSuspensionStore) -> list[WaitRow]:
    return store.waits_after(None, most=100)


def test_only_the_owner_suspends(database: Database, store: SqlSuspensionStore) -> None:
    running(database, "w", "taken")
    run(database, OWN, id="taken", owner="hub:2:1")
    departures = [Departure("w", OWNER, 5, (LETTER,)), Departure("taken", OWNER, 5, (LETTER,))]
    done = store.suspend(departures, now=NOW)
    assert list(done.waits) == [WaitRow(*LETTER, "w", 1_000)]
    assert not done.locked
    assert row_of(database, "w") == ("DELAYED", None, 5, 0)
    assert row_of(database, "taken")[:2] == ("PENDING", "hub:2:1")
    assert waits_in(store) == list(done.waits)


def test_what_somebody_has_locked_is_left_for_later(postgres: Database) -> None:
    database, store = postgres, SqlSuspensionStore(postgres)
    running(database, "w", "free")
    departures = [Departure(each, OWNER, 5) for each in ("w", "free")]
    with database.writing() as other:
        other.one(LOCK, id="w")
        assert store.suspend(departures, now=NOW).locked == {"w"}
    assert row_of(database, "free")[0] == "DELAYED"
    assert not store.suspend(departures[:1], now=NOW).locked
    assert row_of(database, "w")[0] == "DELAYED"


@pytest.mark.parametrize(
    ("until", "created_at", "look"),
    [
        (NOW + 500, NOW - 1, NOW + 500),
        (None, NOW - 1, NOW + HOUR_MS),
        (None, NOW - 2 * HOUR_MS, NOW + 2 * HOUR_MS),
        (NOW + HOUR_MS + 1, NOW - 2 * HOUR_MS, NOW + HOUR_MS + 1),
        (None, NOW - 9 * DAY_MS, NOW + DAY_MS),
    ],
)
def test_who_knows_no_wait_rows_looks_ever_later(
    database: Database, store: SqlSuspensionStore, until: int | None, created_at: int, look: int
) -> None:
    running(database, "w", created_at=created_at)
    store.suspend([Departure("w", OWNER, until, (LETTER,))], now=NOW)
    assert row_of(database, "w")[2] == look


def test_a_sleep_has_no_earlier_look(database: Database, store: SqlSuspensionStore) -> None:
    running(database, "w")
    store.suspend([Departure("w", OWNER, NOW + 9 * DAY_MS)], now=NOW)
    assert row_of(database, "w")[2] == NOW + 9 * DAY_MS


def test_a_later_wait_replaces_the_wait_rows_of_an_earlier_one(
    database: Database, store: SqlSuspensionStore
) -> None:
    running(database, "w")
    store.suspend([Departure("w", OWNER, None, (LETTER, WakeKey(EVENT, "x", "y")))], now=NOW)
    run(database, SET, id="w", status="PENDING")
    run(database, OWN, id="w", owner=OWNER)
    store.suspend([Departure("w", OWNER, None, (WakeKey(RESULT, "c"),))], now=NOW)
    assert [each.key for each in waits_in(store)] == [WakeKey(RESULT, "c")]


def test_what_is_there_ends_a_wait(database: Database, store: SqlSuspensionStore) -> None:
    def wait(kind: str, target: str, name: str = "") -> WaitRow:
        return WaitRow(kind, target, name, "w", 1)

    with database.writing() as session:
        insert(session, workflow_uuid="ended")
        insert(session, workflow_uuid="runs", status="PENDING")
        for each in ("ended", "runs"):
            session.run(EVENT_ROW, id=each)
        session.run(MESSAGE_ROW, id="ended")
    over = [
        wait(MESSAGE, "ended", "letters"),
        wait(EVENT, "runs", "price"),
        wait(RESULT, "ended"),
        wait(RESULT, "ended", MUST_EXIST),
        wait(RESULT, "missing", MUST_EXIST),
    ]
    others = [
        wait(MESSAGE, "ended", "bills"),
        wait(EVENT, "runs", "weight"),
        wait(RESULT, "runs"),
        wait(RESULT, "runs", MUST_EXIST),
        wait(RESULT, "missing"),
    ]
    assert store.ready(over + others) == over


def test_only_a_suspended_row_is_woken_and_only_once(
    database: Database, store: SqlSuspensionStore
) -> None:
    running(database, "w", "cancelled")
    waits = store.suspend(
        [Departure(each, OWNER, None, (LETTER,)) for each in ("w", "cancelled")], now=NOW
    ).waits
    run(database, SET, id="cancelled", status="CANCELLED")
    assert store.wake(waits, now=NOW + 1) == ["_dbos_internal_queue"]
    assert row_of(database, "w") == ("ENQUEUED", None, NOW + 1, 0)
    assert row_of(database, "cancelled")[0] == "CANCELLED"
    assert store.wake(waits, now=NOW + 2) == []
    assert [each.workflow_id for each in waits_in(store)] == ["cancelled"]
    assert store.forget_stale(waits_in(store)) == 1


def test_a_wait_row_of_an_earlier_workflow_wakes_no_delayed_start(
    database: Database, store: SqlSuspensionStore
) -> None:
    running(database, "w", created_at=1_000)
    waits = store.suspend([Departure("w", OWNER, None, (LETTER,))], now=NOW).waits
    run(database, Statement("DELETE FROM {workflow_status}"))
    with database.writing() as session:
        insert(session, workflow_uuid="w", status="DELAYED", created_at=2_000)
    assert store.wake(waits, now=NOW) == []
    assert store.forget_stale(waits) == 1


def test_a_wait_row_that_is_written_anew_is_no_stale_one(postgres: Database) -> None:
    database, store = postgres, SqlSuspensionStore(postgres)
    running(database, "w")
    departure = Departure("w", OWNER, None, (LETTER,))
    waits = store.suspend([departure], now=NOW).waits
    run(database, SET, id="w", status="PENDING")
    run(database, OWN, id="w", owner=OWNER)
    with database.writing() as session:
        leaving.suspend(session, [departure], now=NOW)
        with database.writing() as other:
            assert waking.stale(other, waits) == waits
            assert waking.forget_stale(other, waits) == 0
    assert waits_in(store) == list(waits)


def test_the_walk_meets_every_wait_row_once(database: Database, store: SqlSuspensionStore) -> None:
    ids = [f"w{number}::{number % 3}" for number in range(25)]
    running(database, *ids)
    store.suspend(
        [Departure(each, OWNER, None, (WakeKey(EVENT, "a::b", "'c"), LETTER)) for each in ids],
        now=NOW,
    )
    met: list[WaitRow] = []
    while chunk := store.waits_after(met[-1] if met else None, most=7):
        met += chunk
    assert len(met) == len(set(met)) == 50


# -- what a look costs, however many workflows are suspended ------------------------------------

FILL = Statement(
    postgres="""
        INSERT INTO {workflow_status} (
            workflow_uuid, status, created_at, updated_at, application_name, delay_until_epoch_ms
        )
        SELECT 'w' || n, 'DELAYED', 1, 1, 'shop', n FROM generate_series(1, :rows) AS n
    """,
    sqlite="""
        WITH RECURSIVE numbers (n) AS (
            SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :rows
        )
        INSERT INTO {workflow_status} (
            workflow_uuid, status, created_at, updated_at, application_name, delay_until_epoch_ms
        )
        SELECT 'w' || n, 'DELAYED', 1, 1, 'shop', n FROM numbers
    """,
)
FILL_WAITS = Statement("""
    INSERT INTO {dboshub_wait} (kind, target, name, workflow_uuid, created_at)
    SELECT 'message', workflow_uuid, 'letters', workflow_uuid, 1 FROM {workflow_status}
""")
EMPTY = (Statement("DELETE FROM {workflow_status}"), Statement("DELETE FROM {dboshub_wait}"))
LISTED = json.dumps([("message", f"w{number}", "letters", f"w{number}") for number in range(100)])
IDS = json.dumps([(f"w{number}", 1) for number in range(100)])
AFTER = {"kind": "message", "target": "w5", "name": "letters", "workflow_id": "w5"}
LOOKS: dict[str, tuple[Statement, dict[str, Any]]] = {
    "first of the walk": (waking.FIRST_WAITS, {"most": 100}),
    "next of the walk": (waking.NEXT_WAITS, {"most": 100, **AFTER}),
    "notices": (waking.WAITS_FOR, {"most": 100, "listed": LISTED}),
    "stale rows": (waking.STALE, {"listed": LISTED}),
    "their deletion": (waking.FORGET_STALE, {"listed": LISTED}),
    "wake": (waking.WAKE, {"listed": IDS, "now": 2}),
    "sleeps that are over": (RELEASE, {"application": "shop", "now": 100, "most": 1_000}),
}


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_costs_the_same_over_many_sleepers(
    database: Database, database_url: str, look: str
) -> None:
    few, many = (cost(database, database_url, *LOOKS[look], rows=rows) for rows in (2_000, 20_000))
    assert many < 1.5 * few + 50


def cost(
    database: Database, url: str, statement: Statement, params: dict[str, Any], *, rows: int
) -> int:
    """Rows that scans of tables examined (PostgreSQL); instructions (SQLite)."""
    with database.writing() as session:
        for each in EMPTY:
            session.run(each)
        session.run(FILL, rows=rows)
        session.run(FILL_WAITS)
        session.script("ANALYZE")
    if database.vendor == "postgresql":
        explained = Statement(
            postgres=f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.postgres}", sqlite="SELECT 1"
        )
        with database.writing() as session:
            found = session.one(explained, **params)
        assert found is not None
        return round(sum(_examined(found[0][0]["Plan"])))
    steps: list[int] = []
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as raw:
        raw.set_progress_handler(lambda: steps.append(1), 1)
        raw.execute(database.dialect.text(statement), params).fetchall()
    return len(steps)


def _examined(node: dict[str, Any]) -> Iterator[float]:
    if "Relation Name" in node:
        thrown = node.get("Rows Removed by Filter", 0)
        yield (node["Actual Rows"] + thrown) * node["Actual Loops"]
    for child in node.get("Plans", ()):
        yield from _examined(child)
