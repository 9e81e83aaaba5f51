"""The cost of queue pages with a backlog: rows examined, counted by the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dboshub.queues.selectors.overview import one, page
from dboshub.queues.selectors.partitions import partitions
from dboshub.queues.selectors.queue_head import next_workflows
from dboshub.queues.why_not.answer import brief, explain
from dboshub.workflows.selectors.rows import row
from dboshub.workflows.selectors.scope import EVERYTHING
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.schema.migrate import migrate
from dboshub.workflows.storage.sql import Statement
from tests.support.rows import insert
from tests.support.runs import insert as insert_into
from tests.workflows.selectors.test_plans import MOST, ROWS, Spy, filled
from tests.workflows.selectors.test_sqlite_plans import plans

NOW = 1_700_000_000_000

# A backlog of one queue in a hundred priorities, small queues around it, many direct starts,
# many delays of yet another queue, and a rate limit that started a great deal.
BACKLOG = """
INSERT INTO {workflow_status}
    (workflow_uuid, status, name, queue_name, created_at, updated_at, priority,
     rate_limited, started_at_epoch_ms, delay_until_epoch_ms)
SELECT md5(n::text), 'ENQUEUED', 'a', 'backlog', 1600000000000 + n, 0, n % 100,
    FALSE, CAST(NULL AS bigint), CAST(NULL AS bigint)
FROM generate_series(1, {count}) AS n
UNION ALL
SELECT md5('p' || n), 'PENDING', 'a', NULL, 1600000000000 + n, 0, 0, FALSE, NULL, NULL
FROM generate_series(1, 20000) AS n
UNION ALL
SELECT md5('d' || n), 'DELAYED', 'a', 'later', 1600000000000, 0, 0, FALSE, NULL, n
FROM generate_series(1, 20000) AS n
UNION ALL
SELECT md5('s' || n), 'SUCCESS', 'a', 'rated', 1600000000000, 0, 0, TRUE, 1700000000000 - n, NULL
FROM generate_series(1, 20000) AS n
UNION ALL
SELECT md5('q' || n), 'ENQUEUED', 'a', 'busy-' || n % 40, 1600000000000 + n, 0, 0, FALSE, NULL, NULL
FROM generate_series(1, 2000) AS n;
INSERT INTO {queues} (name, rate_limit_max, rate_limit_period_sec)
SELECT name, 100000, 1000000 FROM unnest(ARRAY['backlog', 'later', 'rated']) AS name;
INSERT INTO {queues} (name) SELECT 'zz-' || n FROM generate_series(1, 2000) AS n;
ANALYZE {workflow_status};
ANALYZE {queues};
"""


SPLIT = """
INSERT INTO {workflow_status}
    (workflow_uuid, status, name, queue_name, created_at, updated_at, priority,
     queue_partition_key)
SELECT md5(n::text), 'ENQUEUED', 'a', 'split', 1600000000000 + n, 0, 0, 'k' || (100 + n % 300)
FROM generate_series(1, {count}) AS n;
ANALYZE {workflow_status};
"""
LAST = Statement("""
    SELECT workflow_uuid FROM {workflow_status}
    WHERE queue_name = :name AND status = 'ENQUEUED'
    ORDER BY priority DESC, created_at DESC LIMIT 1
""")
WORKER = {
    "incarnation": "a" * 32,
    "executor_id": "worker",
    "application_name": "shop",
    "application_version": "v1",
    "lease_ms": 30_000,
    "registered_at": NOW,
    "last_beat_at": NOW,
}


@pytest.fixture(scope="module")
def partitioned(postgres_server: Any) -> Iterator[Database]:
    with postgres_server.fresh_database() as url:
        yield from filled(url, SPLIT)


@pytest.fixture(scope="module")
def backlog(postgres_server: Any) -> Iterator[Database]:
    with postgres_server.fresh_database() as url:
        yield from filled(url, BACKLOG)


def test_a_page_of_queues_costs_the_same_however_much_waits(backlog: Database) -> None:
    seen, after = [], ""
    with backlog.reading() as session:
        for _ in range(4):
            spy = Spy(session)
            found = page(spy.spied(), EVERYTHING, now=NOW, after=after)
            assert sum(spy.examined) <= MOST, spy.examined
            assert len(spy.examined) <= 12
            seen += [each.name for each in found.queues]
            after = found.after
    assert {"backlog", "busy-0", "later", "rated"} <= set(seen)
    assert len(seen) == len(set(seen)) == 80


def test_one_queue_is_counted_further_than_one_of_many(backlog: Database) -> None:
    with backlog.reading() as session:
        spy = Spy(session)
        found = one(spy.spied(), "backlog", EVERYTHING, now=NOW)
        assert found is not None
        assert str(found.depth.waiting) == "9,000+"
        assert found.depth.oldest_at == 1_600_000_000_100 - 99
        assert not found.depth.is_oldest_sure
        rated = one(spy.spied(), "rated", EVERYTHING, now=NOW)
        assert rated is not None
        assert str(rated.depth.started) == "2,000+"
        assert len(next_workflows(spy.spied(), "backlog", EVERYTHING)) == 10
    assert sum(spy.examined) <= MOST, spy.examined
    assert ROWS > MOST


def test_why_one_waits_costs_the_same_however_much_waits(backlog: Database) -> None:
    """The last of a long line, in one statement for each kind of fact."""
    with backlog.writing() as session:
        insert_into(session, "dboshub_executor", **WORKER)
        insert(session, workflow_uuid="hot", status="ENQUEUED", queue_name="rated")
    with backlog.reading() as session:
        for name, missing in {
            "backlog": "not_first",
            "busy-7": "not_first",
            "rated": "next",
        }.items():
            last = session.one(LAST, name=name)
            assert last is not None
            found = row(session, last[0])
            assert found is not None
            spy = Spy(session)
            [answer] = explain(spy.spied(), [found], NOW).values()
            assert sum(spy.examined) <= MOST, spy.examined
            assert len(spy.examined) <= 11
            assert [each.code for each in answer.blockers or (answer,)][-1] == missing
        heads = [each.head for each in page(session, EVERYTHING, now=NOW).queues if each.head]
        spy = Spy(session)
        assert {*brief(spy.spied(), heads, NOW)} == {each.pk for each in heads}
        assert sum(spy.examined) <= MOST, spy.examined
        assert len(spy.examined) <= 9


def test_partitions_are_found_by_skipping_from_one_to_the_next(partitioned: Database) -> None:
    with partitioned.reading() as session:
        spy = Spy(session)
        found, is_cut = partitions(spy.spied(), "split", EVERYTHING)
        assert [each.key for each in found[:2]] == ["k100", "k101"]
        assert str(found[0].waiting) == "100+"
        assert is_cut
    assert sum(spy.examined) <= MOST, spy.examined


def test_a_search_passes_other_names_by_the_index(backlog: Database) -> None:
    with backlog.reading() as session:
        spy = Spy(session)
        found = page(spy.spied(), EVERYTHING, now=NOW, prefix="busy-3")
        assert [each.name for each in found.queues] == [
            "busy-3",
            *(f"busy-3{n}" for n in range(10)),
        ]
    assert sum(spy.examined) <= MOST, spy.examined


def test_sqlite_reads_them_through_the_index_of_what_is_in_flight(sqlite_url: str) -> None:
    database = open_database(sqlite_url)
    migrate(database)
    with database.writing() as session:
        insert_into(session, "queues", name="q", rate_limit_max=1, rate_limit_period_sec=9.0)
        for number in range(30):
            insert(session, workflow_uuid=f"w{number}", status="ENQUEUED", queue_name="q")
    with database.reading() as session:
        spied, notes = plans(session)
        page(spied, EVERYTHING, now=NOW)
        next_workflows(spied, "q", EVERYTHING)
    database.close()
    looks = [each for each in notes if "workflow_status" in each]
    assert len(looks) >= 8
    assert not [
        each for each in looks if each.startswith("SCAN workflow_status") and "idx" not in each
    ]
