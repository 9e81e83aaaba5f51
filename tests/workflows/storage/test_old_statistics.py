"""Statements read little of what is in flight, whatever the statistics know. PostgreSQL only.

While they know nothing of a burst, the planner takes each index of it for a short way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from dboshub.queues.storage import claim, survey
from dboshub.queues.storage.store import CLAIM_PLANNER
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.journal import postgres_batch, postgres_plain, single
from dboshub.workflows.storage.membership import recover
from dboshub.workflows.storage.schema.migrate import migrate
from dboshub.workflows.storage.sql import Session, Statement
from dboshub.workflows.storage.suspension import leaving
from dboshub.workflows.storage.waiting import outcomes
from tests.queues.test_dispatcher import register

IN_FLIGHT, WANTED = 2_000, 20
# Rows that the nodes of a plan may give or throw away for each that the statement changes.
A_ROW = 40
# The same for a plan that reads the table once, which may be right for many rows.
TABLE = 4 * IN_FLIGHT
BURST = Statement("""
    INSERT INTO {workflow_status} (
        workflow_uuid, status, name, queue_name, application_name, owner_xid, created_at, updated_at
    )
    SELECT status || n, status, 'work', 'q', 'shop', status || n, n, n
    FROM generate_series(1, :rows) AS n,
        unnest(CAST(ARRAY['ENQUEUED', 'PENDING'] AS text[])) AS status
""")
OTHERS = Statement("""
    INSERT INTO {workflow_status} (
        workflow_uuid, status, name, application_name, created_at, updated_at
    )
    SELECT 'other' || n, 'SUCCESS', 'work', 'other', n, n FROM generate_series(1, :rows) AS n
""")
# Executions of a prepared statement by its one plan, and by plans of their own.
PLANS = Statement(
    "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE :like"
)
# Rows of workflows that this transaction has read.
READ = Statement("""
    SELECT seq_tup_read + idx_tup_fetch
    FROM pg_stat_xact_user_tables
    WHERE relname = 'workflow_status'
""")
OWNED = [f"PENDING{each}" for each in range(1, WANTED + 1)]
PAIRS = [[each, each] for each in OWNED]
OUTCOME = {
    "workflow_id": OWNED[0],
    "owner": OWNED[0],
    "status": "SUCCESS",
    "output": "1",
    "error": None,
    "ended_at": 5,
    "now": 5,
}
CLAIM = {
    "queue": "q",
    "most": WANTED,
    "tokens": ["t"] * WANTED,
    "refused": [],
    "application": "shop",
    "version": "v1",
    "executor": "local",
    "incarnation": None,
    "rate_limited": False,
    "with_inputs": True,
    "now": None,
}


@pytest.fixture(scope="module")
def burst(postgres_server: Any) -> Iterator[Database]:
    with postgres_server.fresh_database() as url:
        database = open_database(url)
        try:
            migrate(database)
            with database.writing() as session:
                session.run(BURST, rows=IN_FLIGHT)
            register(database, "q")
            yield database
        finally:
            database.close()


@pytest.mark.parametrize(
    ("statement", "params"),
    [
        (claim.CLAIM, CLAIM),
        (survey.SURVEY, CLAIM | {"kafka_interval": None, "most": 500}),
    ],
)
def test_a_long_queue_is_read_from_its_head(
    burst: Database, statement: Statement, params: dict[str, Any]
) -> None:
    """The statistics know of it then, and that most rows belong to another application."""
    with burst.writing() as session:
        session.run(OTHERS, rows=20 * IN_FLIGHT)
        session.script("ANALYZE dbos.workflow_status")
        plan = explained(session, statement, params)
        raise psycopg.Rollback
    assert work(plan) <= WANTED * A_ROW, json.dumps(plan, indent=1)


@pytest.mark.parametrize(
    ("statement", "params", "most"),
    [
        (claim.CLAIM, CLAIM, WANTED * A_ROW),
        (postgres_plain.OUTCOME, OUTCOME, A_ROW),
        (single.END, OUTCOME, A_ROW),
        (postgres_batch.together("outcome"), {"outcomes": json.dumps([OUTCOME])}, A_ROW),
        (recover.KEEP_ATTEMPTS, {"owned": json.dumps(PAIRS), "now": 5}, TABLE + WANTED * A_ROW),
        (
            outcomes.END_WITHOUT_OUTCOME,
            {"id": OWNED[0], "owner": OWNED[0], "status": "CANCELLED", "now": 5},
            A_ROW,
        ),
        (
            leaving.SUSPEND,
            {"leaving": json.dumps([[each, each, 9, 0] for each in OWNED]), "now": 5},
            TABLE + WANTED * A_ROW,
        ),
        (leaving.STILL_OWNED, {"ids": OWNED, "owners": OWNED}, TABLE + WANTED * A_ROW),
    ],
)
def test_a_statement_reads_little_for_each_row_that_it_changes(
    burst: Database, statement: Statement, params: dict[str, Any], most: int
) -> None:
    with burst.writing() as session:
        plan = explained(session, statement, params)
        raise psycopg.Rollback
    assert work(plan) <= most, json.dumps(plan, indent=1)


@pytest.mark.parametrize("is_known", [False, True])
def test_the_one_plan_of_claims_reads_a_long_queue_from_its_head(
    burst: Database, *, is_known: bool
) -> None:
    """It is made without knowing how many are wanted, whether statistics know of the queue or not.

    For a tenth of a long queue, as the planner assumes then, to read all of it would be right.
    """
    connection = burst.connect(planner=CLAIM_PLANNER)
    try:
        with connection.transaction() as session:
            if is_known:
                session.script("ANALYZE dbos.workflow_status")
            assert len(session.all(claim.CLAIM, **CLAIM)) == WANTED
            assert session.one(PLANS, like="%chosen%") == (1, 0)
            read = session.one(READ)
            raise psycopg.Rollback
    finally:
        connection.close()
    assert read is not None
    assert WANTED <= read[0] <= 4 * WANTED


def explained(session: Session, statement: Statement, params: dict[str, Any]) -> dict[str, Any]:
    """The plan of a statement, which is executed."""
    found = session.one(Statement(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.postgres}"), **params)
    assert found is not None
    plan: dict[str, Any] = found[0][0]["Plan"]
    return plan


def work(node: dict[str, Any]) -> float:
    """Rows that a plan and those below it gave or threw away."""
    thrown = sum(rows for name, rows in node.items() if name.startswith("Rows Removed"))
    own: float = (node["Actual Rows"] + thrown) * node["Actual Loops"]
    return own + sum(work(each) for each in node.get("Plans", ()))
