"""Frequent statements use their indexes, also when nearly all workflows have ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg._queries import MAX_CACHED_STATEMENT_LENGTH

from dboshub.queues.engine.settings import QueueSettings
from dboshub.queues.storage import bounded_look, claim, due_workflows, limited_claim, survey
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.journal import postgres_batch
from dboshub.workflows.storage.schema.migrate import migrate
from dboshub.workflows.storage.sql import Dialect, Statement
from tests.queues.rows import APP, VERSION
from tests.queues.test_dispatcher import register

ROWS = 20_000

FILL = Statement(
    postgres="""
        INSERT INTO {workflow_status} (
            workflow_uuid, status, name, queue_name, created_at, updated_at, application_name,
            application_version, queue_partition_key, started_at_epoch_ms, rate_limited,
            delay_until_epoch_ms, workflow_deadline_epoch_ms
        )
        SELECT 'w' || n,
            CASE WHEN n % 50 = 0 THEN 'ENQUEUED' WHEN n % 50 = 1 THEN 'PENDING'
                WHEN n % 50 = 2 THEN 'DELAYED' ELSE 'SUCCESS' END,
            'work', 'q' || (n % 7), n, n, 'shop', 'v1', 'k' || (n % 11), n, n % 3 = 0,
            CASE WHEN n % 50 = 2 THEN n END, CASE WHEN n % 10 = 0 THEN n END
        FROM generate_series(1, :rows) AS n
    """,
    sqlite="""
        WITH RECURSIVE numbers (n) AS (
            SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :rows
        )
        INSERT INTO {workflow_status} (
            workflow_uuid, status, name, queue_name, created_at, updated_at, application_name,
            application_version, queue_partition_key, started_at_epoch_ms, rate_limited,
            delay_until_epoch_ms, workflow_deadline_epoch_ms
        )
        SELECT 'w' || n,
            CASE WHEN n % 50 = 0 THEN 'ENQUEUED' WHEN n % 50 = 1 THEN 'PENDING'
                WHEN n % 50 = 2 THEN 'DELAYED' ELSE 'SUCCESS' END,
            'work', 'q' || (n % 7), n, n, 'shop', 'v1', 'k' || (n % 11), n, n % 3 = 0,
            CASE WHEN n % 50 = 2 THEN n END, CASE WHEN n % 10 = 0 THEN n END
        FROM numbers
    """,
)
OWN: dict[str, Any] = {"application": APP, "version": VERSION, "now": None}
IN_FLIGHT = "idx_workflow_status_in_flight_v2"
# Rows in flight are in several partial indexes, each of them small.
ANY_OF_FEW = "idx_workflow_status_"
PARTITIONS = "idx_workflow_status_partition_dequeue_v3"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """A database in which one row in fifty is enqueued."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('plans') / 'system.sqlite3'}"
        yield from _filled(url)
    else:
        with request.getfixturevalue("postgres_server").fresh_database() as url:
            yield from _filled(url)


def _filled(url: str) -> Iterator[Database]:
    database = open_database(url)
    try:
        migrate(database)
        with database.writing() as session:
            session.run(FILL, rows=ROWS)
            session.script("ANALYZE")
        for number in range(7):
            register(database, f"q{number}")
        yield database
    finally:
        database.close()


def plan(database: Database, statement: Statement, **params: Any) -> str:
    explained = Statement(
        postgres=f"EXPLAIN {statement.postgres}",
        sqlite=f"EXPLAIN QUERY PLAN {statement.sqlite}",
    )
    with database.reading() as session:
        given = {
            key: session.ids(value) if isinstance(value, list) else value
            for key, value in params.items()
        }
        return "\n".join(str(row[-1]) for row in session.all(explained, **given))


@pytest.mark.parametrize(
    "statement",
    [
        claim.CLAIM,
        claim.CLAIM_AMONG,
        claim.CLAIM_PARTITIONS,
        postgres_batch.CHILDREN,
        postgres_batch.together("start", "step", "outcome"),
    ],
)
def test_the_driver_keeps_what_it_parsed_of_a_hot_statement(statement: Statement) -> None:
    text = Dialect("postgresql", "dbos", pyformat=True).text(statement)
    assert len(text.encode()) <= MAX_CACHED_STATEMENT_LENGTH


@pytest.mark.parametrize(
    ("statement", "params", "index"),
    [
        (claim.CLAIM, {"queue": "q3", "most": 100, "tokens": ["t"] * 100}, IN_FLIGHT),
        (
            bounded_look.LOOK,
            {"queue": "q3", "priority": 0, "created_at": 0, "skipped": 0, "most": 100},
            IN_FLIGHT,
        ),
        (
            claim.CLAIM_AMONG,
            {"queue": "q3", "most": 100, "tokens": ["t"] * 100, "found": ["w50", "w150"]},
            "workflow_status_",  # the primary key
        ),
        (claim.READ_BACK, {"queue": "q3", "tokens": ["t"] * 100}, ANY_OF_FEW),
        (survey.SURVEY, {"kafka_interval": 1.0, "most": 100}, IN_FLIGHT),
        (limited_claim.USAGE, {"queue": "q3", "period": None}, ANY_OF_FEW),
        (
            limited_claim.USAGE,
            {"queue": "q3", "period": 1000},
            "idx_workflow_status_rate_limited",
        ),
        (
            claim.CLAIM_PARTITIONS,
            {
                "queue": "q3",
                "most": 10,
                "tokens": ["t"] * 10,
                "keys": ["k1", "k2"],
                "allowed": [1, 1],
                "key": "k1",
            },
            ANY_OF_FEW,
        ),
        (
            limited_claim.PARTITIONS,
            {
                "queue": "q3",
                "period": None,
                "running_limit": 1,
                "recent_limit": None,
                "first": "",
                "most_partitions": 8_192,
            },
            PARTITIONS,
        ),
        (due_workflows.RELEASE, {"now": 5, "most": 1000}, "idx_workflow_status_delayed"),
        (due_workflows.CANCEL_OVERDUE, {"now": 5, "most": 1000}, "idx_workflow_status_deadline"),
    ],
)
def test_a_hot_statement_uses_its_index(
    filled: Database, statement: Statement, params: dict[str, Any], index: str
) -> None:
    defaults = {
        **OWN,
        "executor": "local",
        "incarnation": "0" * 32,
        "rate_limited": False,
        "with_inputs": True,
        "refused": [],
        "most": 100,
    }
    found = plan(filled, statement, **{**defaults, **params})
    assert index in found, found
    assert "Seq Scan on workflow_status" not in found
    assert "SCAN workflow_status" not in found.replace("SCAN workflow_status USING INDEX", "")


def test_the_survey_covers_every_queue_in_one_statement(filled: Database) -> None:
    with filled.reading() as session:
        seen = survey.survey(session, APP, VERSION)
    assert [each.queue.name for each in seen] == [
        "_dbos_internal_queue",
        *(f"q{number}" for number in range(7)),
    ]
    assert [each.ready for each in seen] == [False, *[True] * 7]
    assert seen[1].queue == QueueSettings(name="q0", application_name=APP)
