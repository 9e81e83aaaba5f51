"""What the page of a run with 100,000 steps costs: rows examined, counted by PostgreSQL itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dboshub.workflows.page_cache import page_cache
from dboshub.workflows.rendering.steps_section import steps_section
from dboshub.workflows.selectors.detail.queue_places import MAX_HOLDERS, times_without_a_place
from dboshub.workflows.selectors.rows import row
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Cursor, Session, Statement
from tests.support.runs import T0, add_workflow, insert

STEPS = 100_000
# The most rows of a statement, and of all of a page together.
MOST, MOST_OF_A_PAGE = 20_000, 60_000

# Each tenth step starts a child, of which there are ten, and each thousandth failed.
_STEPS = f"""
INSERT INTO {{operation_outputs}}
    (workflow_uuid, function_id, function_name, started_at_epoch_ms, completed_at_epoch_ms,
     child_workflow_id, output, error)
SELECT 'long', n, CASE WHEN n % 3 = 0 THEN 'DBOS.sleep' ELSE 'work' END, {T0} + n * 10,
    {T0} + n * 10 + 5, CASE WHEN n % 10 = 0 THEN 'child-' || CAST(n % 100 AS text) END, 'x',
    CASE WHEN n % 1000 = 0 THEN 'x' END
FROM NUMBERS
"""
_RUNS = f"""
INSERT INTO {{workflow_status}}
    (workflow_uuid, status, name, queue_name, created_at, updated_at, priority,
     started_at_epoch_ms, completed_at)
SELECT 'run-' || CAST(n AS text), 'SUCCESS', 'work', CASE WHEN n % 2 = 0 THEN 'busy' END, {T0} + n,
    0, 0, {T0} + n, {T0} + n + 100
FROM NUMBERS
"""


def filling(text: str) -> Statement:
    """A statement that inserts a row for each number."""
    counted = (
        "(WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted"
        f" WHERE n < {STEPS}) SELECT n FROM counted)"
    )
    return Statement(
        postgres=text.replace("NUMBERS", f"generate_series(1, {STEPS}) AS n"),
        sqlite=text.replace("NUMBERS", counted),
    )


FILL, FILL_RUNS = filling(_STEPS), filling(_RUNS)
ANALYZE = Statement("ANALYZE {operation_outputs}")
ANALYZE_RUNS = Statement("ANALYZE {workflow_status}")


def spied(session: Session, look: Callable[[str, dict[str, Any]], None]) -> Session:
    """A session whose statements are looked at before they run."""

    def execute(text: str, params: dict[str, Any]) -> Cursor:
        look(text, params)
        return session._execute(text, params)

    return Session(session.dialect, execute, session._script)


def scanned(node: dict[str, Any]) -> int:
    """Rows that scans of tables gave or threw away."""
    rows = 0
    if "Relation Name" in node:
        thrown = node.get("Rows Removed by Filter", 0)
        thrown += node.get("Rows Removed by Index Recheck", 0)
        rows = round((node["Actual Rows"] + thrown) * node["Actual Loops"])
    return rows + sum(scanned(child) for child in node.get("Plans", ()))


@pytest.fixture
def long_run(database: Database) -> Database:
    with database.writing() as session:
        add_workflow(session, "long", "ERROR", completed_at=T0 + STEPS * 10)
        for number in range(0, 100, 10):
            add_workflow(session, f"child-{number}", name="part", queue_name="q")
        session.run(FILL)
        session.run(ANALYZE)
    return database


@pytest.mark.parametrize("start", [None, 1, STEPS // 2])
def test_a_page_of_a_hundred_thousand_steps_examines_few_rows(
    long_run: Database, start: int | None
) -> None:
    page_cache().clear()
    with long_run.writing() as session:
        is_postgres = session.dialect.vendor == "postgresql"
        plans: list[Any] = []

        def look(text: str, params: dict[str, Any]) -> None:
            explain = "EXPLAIN (ANALYZE, FORMAT JSON)" if is_postgres else "EXPLAIN QUERY PLAN"
            if "operation_outputs" in text or "workflow_status" in text:
                plans.append(session._execute(f"{explain} {text}", params).fetchall())

        found = row(session, "long")
        assert found is not None
        shown = steps_section(spied(session, look), found, payload=True, start=start)
    assert len(shown["page"].steps) == 200
    assert len(shown["map"].columns) <= 101
    assert len(shown["activity"].busy) <= 501
    assert not shown["activity"].is_whole
    assert plans
    if is_postgres:
        examined = [scanned(plan[0][0][0]["Plan"]) for plan in plans]
        assert max(examined) <= MOST, examined
        assert sum(examined) <= MOST_OF_A_PAGE, examined
    else:
        said = [each[3] for plan in plans for each in plan]
        assert not [each for each in said if each.startswith("SCAN operation_outputs")], said


def test_when_a_queue_was_full_is_known_from_few_rows(database: Database) -> None:
    with database.writing() as session:
        insert(session, "queues", queue_id="q", name="busy", concurrency=50)
        add_workflow(session, "waits", "ENQUEUED", queue_name="busy", application_name=None)
        session.run(FILL_RUNS)
        session.run(ANALYZE_RUNS)
        plans: list[Any] = []

        def look(text: str, params: dict[str, Any]) -> None:
            if session.dialect.vendor == "postgresql" and "workflow_status" in text:
                explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {text}"
                plans.append(session._execute(explain, params).fetchone())

        found = row(session, "waits")
        assert found is not None
        full = times_without_a_place(spied(session, look), [found], T0 + 10 * STEPS)
    assert len(full["waits"]) >= 1
    examined = [scanned(plan[0][0]["Plan"]) for plan in plans]
    assert not examined or max(examined) <= 2 * MAX_HOLDERS, examined
