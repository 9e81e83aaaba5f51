"""What the page of executors costs on a full table: rows examined, counted by PostgreSQL itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.selectors.test_plans import MOST, Spy, filled
from workflows.selectors.fleet import LOOKED, fleet
from workflows.selectors.scope import EVERYTHING
from workflows.storage.database import Database

NOW = 1_700_000_000_000
CROWDED = """
INSERT INTO {workflow_status}
    (workflow_uuid, status, name, queue_name, created_at, updated_at, priority,
     application_version, executor_id, delay_until_epoch_ms)
SELECT md5(n::text), 'PENDING', 'a', NULL, n, 0, 0, 'v' || n % 3, 'vm-' || n % 5,
    CAST(NULL AS bigint)
FROM generate_series(1, 30000) AS n
UNION ALL
SELECT md5('e' || n), 'ENQUEUED', 'a', 'q', n, 0, n % 7, 'v' || n % 3, NULL, NULL
FROM generate_series(1, 30000) AS n
UNION ALL
SELECT md5('d' || n), 'DELAYED', 'a', 'q', n, 0, 0, 'v9', NULL, n
FROM generate_series(1, 30000) AS n
UNION ALL
SELECT md5('s' || n), 'SUCCESS', 'a', NULL, n, 0, 0, 'v9', NULL, NULL
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
        found = fleet(spy.spied(), EVERYTHING, now=NOW)
    assert sum(spy.examined) <= MOST, spy.examined
    assert len(spy.examined) <= 6
    assert found.is_cut
    assert sum(each.count for each in found.holders) == LOOKED["PENDING"]
    held = {each.name: each for each in found.versions}
    assert str(held["v1"].holds["PENDING"]) == "3,000+"
    assert "Unknown" in held["v1990"].verdict.text
    assert held["v2000"].is_latest
