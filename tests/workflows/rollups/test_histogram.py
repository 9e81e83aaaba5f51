"""Percentiles of bucketed durations, and the same buckets in SQL."""

from __future__ import annotations

import random

from dboshub.workflows.rollups.histogram import (
    BOUNDS,
    bucket,
    bucket_sql,
    merged,
    percentiles,
    stored,
)
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import cached_statement

EDGES = [0, 1, 2, 3, 4, 59_999, 60_000, *BOUNDS, *(bound - 1 for bound in BOUNDS), 2**40]


def test_percentiles_are_within_a_tenth_of_what_they_stand_for() -> None:
    drawn = random.Random(7)
    took = sorted(int(drawn.lognormvariate(7, 2)) + 1 for _ in range(5_000))
    kept: dict[int, int] = {}
    for each in took:
        kept[bucket(each)] = kept.get(bucket(each), 0) + 1
    shares = (0.5, 0.95, 0.99)
    for share, found in zip(shares, percentiles(kept, shares), strict=True):
        exact = took[int(share * len(took)) - 1]
        assert found is not None
        assert abs(found - exact) <= max(1, exact * 0.1), (share, found, exact)


def test_nothing_has_no_percentiles_and_no_time_has_the_first_bucket() -> None:
    assert percentiles({}, [0.5, 0.99]) == [None, None]
    assert percentiles({bucket(0): 3, bucket(5): 0}, [0.5, 0.99]) == [0, 0]


def test_stored_histograms_add_up() -> None:
    assert merged([stored({0: 1, 7: 2}), stored({7: 3}), {}]) == {0: 1, 7: 5}


def test_both_databases_sort_durations_into_the_buckets_that_python_does(
    database: Database,
) -> None:
    rows = " UNION ALL ".join(f"SELECT {ms} AS took" for ms in EDGES)
    text = f"SELECT took, {bucket_sql('took')} FROM ({rows} UNION ALL SELECT NULL) AS given"
    with database.reading() as session:
        found = session.all(cached_statement(text))
    assert dict(found) == {None: None} | {ms: bucket(ms) for ms in EDGES}
