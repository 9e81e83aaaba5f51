"""Charts are summed by the database, also from rows of earlier releases: of names on queues."""

from __future__ import annotations

from typing import Any

import pytest

from dboshub.workflows.models import RolledSpan, Rollup
from dboshub.workflows.models.rollups import HOUR, MINUTE
from dboshub.workflows.rollups.series import series
from dboshub.workflows.selectors.scope import EVERYTHING, Viewer

pytestmark = pytest.mark.django_db
T0 = 1_700_000_000_000 // HOUR * HOUR


@pytest.fixture
def counted() -> None:
    """Two hours, of which one minute is missing; the older hour is folded."""
    shared = {"scope": "one", "name": "pay"}
    rows = [
        Rollup(
            **shared,
            width=MINUTE,
            at=T0 + minute * MINUTE,
            application=application,
            queue=f"q{queue}",
            created=3,
            succeeded=2,
            failed=1,
            run={"4": 2, "7": 1} if queue else {},
        )
        for minute in range(60)
        for queue in range(5)
        for application in ("shop", "till")
        if minute != 7
    ]
    rows.append(Rollup(**shared, width=HOUR, at=T0 - HOUR, succeeded=50, run={"9": 50}))
    Rollup.objects.bulk_create(rows)
    spans = [RolledSpan(width=MINUTE, at=T0 + at * MINUTE) for at in range(60) if at != 7]
    RolledSpan.objects.bulk_create([*spans, RolledSpan(width=HOUR, at=T0 - HOUR, covered=60)])


@pytest.mark.usefixtures("counted")
def test_a_chart_costs_two_statements_and_adds_up(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(2):
        found = series(T0 - HOUR, T0 + HOUR, HOUR, EVERYTHING, name="pay")
    before, last = found
    assert (before.covered, before.expected, before.ended) == (60, 60, 50)
    assert before.tally.run == {9: 50}
    assert (last.covered, last.expected) == (59, 60)
    assert last.tally.outcomes["succeeded"] == 2 * 59 * 10
    assert (last.ended, last.failed) == (3 * 59 * 10, 59 * 10)
    assert last.tally.run == {4: 2 * 59 * 8, 7: 59 * 8}


@pytest.mark.usefixtures("counted")
def test_a_chart_holds_only_what_its_viewer_may_see() -> None:
    (found,) = series(T0, T0 + HOUR, HOUR, Viewer(frozenset({"till"}), False), name="pay")
    assert found.failed == 59 * 5
    (other,) = series(T0, T0 + HOUR, HOUR, EVERYTHING, name="other")
    assert (other.ended, other.covered, other.tally.run) == (0, 59, {})


@pytest.mark.usefixtures("counted")
def test_a_chart_of_a_queue_counts_each_workflow_once_however_old_its_rows_are() -> None:
    (found,) = series(T0, T0 + HOUR, HOUR, EVERYTHING, queue="q1")
    assert (found.ended, found.tally.run) == (3 * 59 * 2, {4: 2 * 59 * 2, 7: 59 * 2})
    new = {"width": MINUTE, "at": T0 + 8 * MINUTE, "succeeded": 5, "run": {"4": 5}}
    Rollup.objects.filter(at=T0 + 8 * MINUTE).delete()
    Rollup.objects.create(**new, scope="queue", queue="q1")
    Rollup.objects.create(**new, scope="one", name="pay")
    (found,) = series(T0, T0 + HOUR, HOUR, EVERYTHING, queue="q1", with_runs=False)
    assert (found.ended, found.tally.run) == (3 * 58 * 2 + 5, {})
    (found,) = series(T0, T0 + HOUR, HOUR, EVERYTHING, name="pay")
    assert found.ended == 3 * 58 * 10 + 5
