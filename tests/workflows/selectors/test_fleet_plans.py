"""What executors, home and errors cost on a full table: rows examined, as PostgreSQL counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dboshub.queues.selectors.busy_queues import waiting_since
from dboshub.workflows.search.criteria import Criteria
from dboshub.workflows.selectors.executor_overview import MAX_ROWS_SCANNED, executor_overview
from dboshub.workflows.selectors.failed_runs import failed_runs
from dboshub.workflows.selectors.keyset.pages import WorkflowPager
from dboshub.workflows.selectors.scope import EVERYTHING
from dboshub.workflows.selectors.workflow_health import (
    MAX_RECOVERIES,
    oldest_running,
    recovered_repeatedly,
)
from dboshub.workflows.storage.database import Database
from tests.workflows.selectors.test_plans import MOST, Spy, filled

NOW = 1_700_000_000_000
CROWDED = """
INSERT INTO {workflow_status}
    (workflow_uuid, status, name, queue_name, created_at, updated_at, priority,
     application_version, executor_id, delay_until_epoch_ms, recovery_attempts, completed_at)
SELECT md5(n::text), 'PENDING', 'a', NULL, n, 0, 0, 'v' || n % 3, 'vm-' || n % 5,
    CAST(NULL AS bigint), n % 20, CAST(NULL AS bigint)
FROM generate_series(1, 30000) AS n
UNION ALL
SELECT md5('e' || n), 'ENQUEUED', 'a', 'q', n, 0, n % 7, 'v' || n % 3, NULL, NULL, 1, NULL
FROM generate_series(1, 30000) AS n
UNION ALL
SELECT md5('d' || n), 'DELAYED', 'a', 'q', n, 0, 0, 'v9', NULL, n, 1, NULL
FROM generate_series(1, 30000) AS n
UNION ALL
SELECT md5('s' || n), CASE n % 2 WHEN 0 THEN 'ERROR' ELSE 'SUCCESS' END, 'a', NULL, n, 0, 0,
    'v9', NULL, NULL, 1, n
FROM generate_series(1, 60000) AS n;
INSERT INTO {application_versions}
    (version_id, version_name, version_timestamp, created_at, application_name)
SELECT n::text, 'v' || n, n, n, 'shop' FROM generate_series(1, 2000) AS n;
ANALYZE {workflow_status};
"""


@pytest.fixture(scope="module")
def crowded(postgres_server: Any) -> Iterator[Database]:
    with postgres_server.fresh_database() as url:
        yield from filled(url, CROWDED)


def test_the_page_of_executors_looks_at_so_many_rows_and_says_so(crowded: Database) -> None:
    with crowded.reading() as session:
        spy = Spy(session)
        found = executor_overview(spy.spied(), EVERYTHING, now=NOW)
    assert sum(spy.examined) <= MOST, spy.examined
    assert len(spy.examined) <= 6
    assert found.is_cut
    assert sum(each.count for each in found.holders) == MAX_ROWS_SCANNED["PENDING"]
    held = {each.name: each for each in found.versions}
    assert str(held["v1"].counts["PENDING"]) == "3,000+"
    assert "Unknown" in held["v1990"].retirement_advice.text
    assert held["v2000"].is_latest


def test_home_looks_at_so_many_rows_for_each_thing_that_may_be_wrong(crowded: Database) -> None:
    with crowded.reading() as session:
        spy = Spy(session)
        oldest = oldest_running(spy.spied(), EVERYTHING)
        assert (spy.examined, oldest and oldest.created_at) == ([1], 1)
        loops = recovered_repeatedly(spy.spied(), EVERYTHING)
        assert [each.recoveries for each in loops] == [18] * MAX_RECOVERIES
        waiting = waiting_since(spy.spied(), EVERYTHING)
        assert waiting == {"q": 1}
    assert all(each <= MOST for each in spy.examined), spy.examined


def test_errors_look_at_twenty_rows_for_each_run_at_most(crowded: Database) -> None:
    criteria = Criteria(statuses=("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"), internal=True)
    with crowded.reading() as session:
        spy = Spy(session)
        page = WorkflowPager(spy.spied(), criteria, EVERYTHING, size=500).first()
        found = failed_runs(spy.spied(), page.rows, payload=True)
    assert len(found) == 500
    assert sum(spy.examined) <= 20 * 500, spy.examined
