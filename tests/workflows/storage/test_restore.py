"""Rows are put back as they were, all in one statement, and only if nothing changed them since."""

from __future__ import annotations

import json
from typing import Any

from dboshub.workflows.storage.control import adjust, restore
from dboshub.workflows.storage.control.cancel import cancel
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Session, Statement
from tests.support.runs import add_workflow

NOW = 1_800_000_000_000
ROWS = Statement(
    f"SELECT workflow_uuid, {', '.join(restore.COLUMNS)}"
    " FROM {workflow_status} ORDER BY workflow_uuid"
)
MANY = Statement("""
    WITH RECURSIVE numbers (at) AS (SELECT 1 UNION ALL SELECT at + 1 FROM numbers WHERE at < 100000)
    INSERT INTO {workflow_status} (workflow_uuid, status, name, queue_name, created_at, updated_at)
    SELECT 'many' || at, 'ENQUEUED', 'work', 'mail', at, at FROM numbers
""")


def rows(session: Session) -> dict[str, dict[str, Any]]:
    found = session.all(ROWS)
    return {row[0]: dict(zip(restore.COLUMNS, row[1:], strict=True)) for row in found}


def changes(was: dict[str, dict[str, Any]], at: int = NOW) -> list[dict[str, Any]]:
    return [{"id": name, "changed_at": at, **row} for name, row in was.items()]


def test_a_row_gets_back_all_that_was_recorded_unless_it_changed_since(database: Database) -> None:
    waits = {
        "queue_name": "mail",
        "queue_partition_key": "eu",
        "priority": 3,
        "delay_until_epoch_ms": NOW + 5,
        "workflow_deadline_epoch_ms": NOW + 9,
    }
    with database.writing() as session:
        add_workflow(session, "one", "DELAYED", deduplication_id="only", **waits)
        add_workflow(session, "two", "DELAYED", **waits)
        was = rows(session)
        cancel(session, [*was], now=NOW)
        cancel(session, ["two"], now=NOW + 1)
        assert restore.restore(session, changes(was)) == {"one"}
        assert rows(session)["one"] == was["one"]
        assert rows(session)["two"]["status"] == "CANCELLED"


def test_an_id_that_another_one_holds_now_leaves_its_row_alone(database: Database) -> None:
    with database.writing() as session:
        for each in ("one", "two"):
            add_workflow(session, each, "ENQUEUED", queue_name="mail", deduplication_id=each)
        was = rows(session)
        cancel(session, [*was], now=NOW)
        add_workflow(session, "new", "ENQUEUED", queue_name="mail", deduplication_id="one")
        assert restore.restore(session, changes(was)) == {"two"}


def test_only_what_waits_is_adjusted_and_only_what_has_not_begun_is_delayed(
    database: Database,
) -> None:
    with database.writing() as session:
        add_workflow(session, "due", "ENQUEUED", queue_name="mail")
        add_workflow(session, "late", "DELAYED", queue_name="mail", delay_until_epoch_ms=NOW + 5)
        add_workflow(session, "suspended", "DELAYED", started_at_epoch_ms=5)
        add_workflow(session, "running", "PENDING")
        ids = ["due", "late", "suspended", "running"]
        adjust.set_version(session, ids, "v2", now=NOW)
        adjust.set_priority(session, ids, 7, now=NOW)
        found = rows(session)
        changed = {name for name, row in found.items() if row["updated_at"] == NOW}
        assert changed == {"due", "late", "suspended"}
        assert {found[each]["application_version"] for each in changed} == {"v2"}
        assert {found[each]["priority"] for each in changed} == {7}
        adjust.delay(session, ids, until=NOW + 60, now=NOW + 1)
        found = rows(session)
        delayed = {name for name, row in found.items() if row["delay_until_epoch_ms"] == NOW + 60}
        assert delayed == {"due", "late"}
        adjust.end_delay(session, ids, now=NOW + 2)
        found = rows(session)
        assert {name for name, row in found.items() if row["status"] == "ENQUEUED"} == delayed
        assert found["suspended"]["status"] == "DELAYED"


def test_a_chunk_reads_its_own_rows_alone(database: Database) -> None:
    with database.writing() as session:
        session.run(MANY)
        was = {name: row for name, row in rows(session).items() if name.endswith("111")}
        cancel(session, [*was], now=NOW)
        session.run(Statement("ANALYZE {workflow_status}"))
        assert len(was) == 100
        if session.vendor == "postgresql":
            plan = session.dialect.text(restore.RESTORE)
            explained = session._execute(
                f"EXPLAIN (ANALYZE, FORMAT JSON) {plan}",
                {"changes": json.dumps(changes(was))},
            ).fetchone()[0]
            assert examined(explained[0]["Plan"]) == 100, explained
        else:
            assert len(restore.restore(session, changes(was))) == 100
        assert {name: row for name, row in rows(session).items() if name in was} == was


def examined(node: dict[str, Any]) -> int:
    """Rows of workflows that the scans of a plan gave or threw away."""
    own = 0
    if node.get("Relation Name") == "workflow_status" and node["Node Type"] != "ModifyTable":
        thrown = node.get("Rows Removed by Filter", 0)
        own = round((node["Actual Rows"] + thrown) * node["Actual Loops"])
    return own + sum(examined(child) for child in node.get("Plans", ()))
