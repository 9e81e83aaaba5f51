"""What a page costs on skewed tables: rows examined, counted by PostgreSQL itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.http import QueryDict

from dboshub.workflows.search.criteria import parse
from dboshub.workflows.selectors.counts import (
    SHOWN_CAP,
    counts,
    first_of_many,
    in_flight_of,
    older_in_flight,
)
from dboshub.workflows.selectors.facets import facets
from dboshub.workflows.selectors.keyset.matching_count import MAX_ROWS, matching
from dboshub.workflows.selectors.keyset.merge import MAX_CHUNK
from dboshub.workflows.selectors.keyset.pages import PAGE_SIZE, WorkflowPager, read_cursor
from dboshub.workflows.selectors.keyset.ranges import MAX_SORTED_TIES
from dboshub.workflows.selectors.relations.child_counts import child_counts
from dboshub.workflows.selectors.relations.lineage import (
    MAX_CHILDREN_SCANNED,
    MAX_RELATIVES,
    first_children,
)
from dboshub.workflows.selectors.scope import EVERYTHING, Viewer
from dboshub.workflows.selectors.value_search import CHUNK, MAX_RUNS, ValueSearch
from dboshub.workflows.selectors.workflow_health import MAX_ROWS_SCANNED, recovered_repeatedly
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.listing.watch import CHILDREN, grouped
from dboshub.workflows.storage.schema.migrate import migrate
from dboshub.workflows.storage.sql import Cursor, Session, Statement

T0 = 1_700_000_000_000
INDEXED = 20 * PAGE_SIZE
MOST = 20_000
ROWS = 200_000
TINY = Viewer(frozenset({"tiny"}), unclaimed=False)

# Old to new: a waiting backlog under everything, then years of success, then one bulk enqueue.
# A thousandth belongs to one application, a few rows failed, one parent has most of the children.
SKEWED = """
INSERT INTO {workflow_status}
    (workflow_uuid, status, name, queue_name, created_at, updated_at, priority,
     application_name, parent_workflow_id, recovery_attempts, attributes, started_at_epoch_ms,
     completed_at)
SELECT md5(n::text), 'ENQUEUED', 'backlog', 'slow', 1600000000000 + n, 0, n % 2,
    'shop', NULL, 0, NULL, NULL, NULL
FROM generate_series(1, 20000) AS n
UNION ALL
SELECT md5((-n)::text),
    CASE WHEN n % 20000 = 0 THEN 'ERROR' WHEN n % 25000 = 0 THEN 'PENDING' ELSE 'SUCCESS' END,
    CASE WHEN n = 7 THEN 'rare' ELSE 'common' END, NULL, 1650000000000 + n * 10, 0, 0,
    CASE WHEN n % 1000 = 0 THEN 'tiny' ELSE 'shop' END,
    CASE WHEN n % 2 = 0 THEN 'mother' END, 1,
    CASE WHEN n % 4 = 0 THEN jsonb_build_object('customer', n) END, 1650000000000 + n * 10,
    CASE WHEN n % 25000 <> 0 THEN 1660000000000 + n * 7 END
FROM generate_series(1, {count}) AS n;
ANALYZE {workflow_status};
"""
TIED = """
INSERT INTO {workflow_status} (workflow_uuid, status, name, queue_name, created_at, updated_at)
SELECT md5(n::text), 'ENQUEUED', 'bulk', 'bulk', 1700000000000, 0
FROM generate_series(1, {count}) AS n;
ANALYZE {workflow_status};
"""

PART_OF_THE_BACKLOG = Statement(
    "DELETE FROM {workflow_status} WHERE status = 'ENQUEUED' AND created_at < 1600000012000"
)
ANALYZE = Statement("ANALYZE {workflow_status}")


class UndoneError(Exception):
    """Raised to leave the database as it was."""


@dataclass
class Spy:
    """A session that also asks the database what each statement cost."""

    session: Session
    examined: list[int] = field(default_factory=list)

    def spied(self) -> Session:
        def execute(text: str, params: dict[str, Any]) -> Cursor:
            if text.startswith("EXPLAIN"):
                return self.session._execute(text, params)
            plan = self.session._execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {text}", params)
            found = plan.fetchone()[0]
            tree = found if isinstance(found, list) else json.loads(found)
            self.examined.append(examined(tree[0]["Plan"]))
            return self.session._execute(text, params)

        return Session(self.session.dialect, execute, self.session._script)


def examined(node: dict[str, Any]) -> int:
    """Rows that scans of the table gave or threw away."""
    rows = 0
    if node.get("Relation Name") == "workflow_status":
        thrown = node.get("Rows Removed by Filter", 0) + node.get(
            "Rows Removed by Index Recheck", 0
        )
        rows = round((node["Actual Rows"] + thrown) * node["Actual Loops"])
    return rows + sum(examined(child) for child in node.get("Plans", ()))


def filled(url: str, script: str) -> Iterator[Database]:
    database = open_database(url)
    try:
        migrate(database)
        with database.connect_raw() as raw:
            text = script.replace("{count}", str(ROWS))
            raw.execute(database.dialect.compile(text).replace("%%", "%").encode())
            raw.execute("VACUUM dbos.workflow_status")
        yield database
    finally:
        database.close()


@pytest.fixture(scope="module")
def skewed(postgres_server: Any) -> Iterator[Database]:
    with postgres_server.fresh_database() as url:
        yield from filled(url, SKEWED)


@pytest.fixture(scope="module")
def tied(postgres_server: Any) -> Iterator[Database]:
    with postgres_server.fresh_database() as url:
        yield from filled(url, TIED)


def cost(
    database: Database, query: str, pages: int = 2, **options: Any
) -> tuple[list[list[int]], int]:
    """Rows examined by each statement of each page, and how many rows were shown."""
    costs, shown = [], 0
    with database.reading() as session:
        cursor = None
        for _ in range(pages):
            spy = Spy(session)
            criteria = parse(QueryDict(query), now=T0, attributes=True)
            lister = WorkflowPager(spy.spied(), criteria, **options)
            page = lister.after(cursor)
            costs.append(spy.examined)
            shown += len(page.rows)
            cursor = read_cursor(page.older or "")
            if cursor is None:
                break
    return costs, shown


@pytest.mark.parametrize(
    ("query", "least", "statements"),
    [
        ("", 100, 3),
        ("since=1650000000500", 100, 3),
        ("until=1650001000000", 100, 3),
        ("status=PENDING", 6, 2),
        ("status=ERROR", 10, 2),
        ("status=failed", 10, 6),
        ("id=abc", 20, 2),
        ("schedule=none", 0, 2),
        ("status=DELAYED", 0, 2),
        ("by=completed", 100, 3),
        ("by=started&since=1650000000500", 100, 3),
        ("id=abc&id=def", 20, 3),
    ],
)
def test_what_an_index_serves_costs_no_more_than_twenty_rows_a_row(
    skewed: Database, query: str, least: int, statements: int
) -> None:
    costs, shown = cost(skewed, query)
    assert shown >= least
    for page in costs:
        assert sum(page) <= INDEXED + 2, page
        assert len(page) <= statements, page


def test_an_old_backlog_is_reached_through_its_queues(skewed: Database) -> None:
    for query in ("status=ENQUEUED", "status=in_flight", "status=ENQUEUED&queue=slow"):
        costs, shown = cost(skewed, query)
        assert shown == 2 * PAGE_SIZE
        assert max(map(sum, costs)) <= 3 * INDEXED, costs
        assert max(map(len, costs)) <= 16, costs


def test_a_small_backlog_in_a_large_table_is_not_sorted_whole(skewed: Database) -> None:
    with suppress(UndoneError), skewed.writing() as session:
        session.run(PART_OF_THE_BACKLOG)
        session.run(ANALYZE)
        spy = Spy(session)
        rows = WorkflowPager(spy.spied(), parse(QueryDict("status=ENQUEUED"), now=T0)).first().rows
        assert len(rows) == PAGE_SIZE
        recovered_repeatedly(spy.spied(), EVERYTHING)
        assert sum(spy.examined) <= 3 * INDEXED + MAX_ROWS_SCANNED
        raise UndoneError


@pytest.mark.parametrize(
    "query",
    [
        "name=absent",
        "name=rare",
        "app=tiny",
        "parent=mother",
        "parent=mother&name=absent",
        "top=1",
        "queue=slow",
        "name=!common",
        "id=*absent*",
        "name=*BSEN*",
        "attr.customer=8",
        "attr.customer=!8&user=x",
        "by=completed&name=absent",
        "by=completed&parent=mother&queue=x",
        "by=started&queue=slow",
    ],
)
def test_no_statement_of_a_search_examines_more_than_its_chunk(
    skewed: Database, query: str
) -> None:
    costs, _ = cost(skewed, query, pages=5)
    assert max(max(page) for page in costs) <= 2 * MAX_CHUNK + MAX_SORTED_TIES
    assert max(max(page) for page in costs) <= MOST


def test_a_search_reaches_the_last_row_of_the_table_in_the_end(skewed: Database) -> None:
    _, shown = cost(skewed, "name=rare", pages=100, budget_s=60)
    assert shown == 1


def test_one_bulk_enqueue_is_paged_without_sorting_it(tied: Database) -> None:
    for query in ("", "status=ENQUEUED", "name=bulk"):
        costs, shown = cost(tied, query, pages=4)
        assert shown == 4 * PAGE_SIZE
        assert max(map(sum, costs)) <= MOST, costs
        assert max(map(len, costs)) <= 8, costs


def test_what_a_span_hides_is_counted_from_the_oldest(skewed: Database) -> None:
    with skewed.reading() as session:
        spy = Spy(session)
        assert str(older_in_flight(spy.spied(), T0)) == "506+"
    assert sum(spy.examined) <= INDEXED


def test_what_of_a_queue_is_in_flight_is_counted_up_to_a_cap(skewed: Database) -> None:
    with skewed.reading() as session:
        spy = Spy(session)
        assert str(in_flight_of(spy.spied(), "slow")) == "10,000+"
    assert sum(spy.examined) <= SHOWN_CAP + 1


def test_the_children_of_a_page_are_counted_up_to_a_cap(skewed: Database) -> None:
    with skewed.reading() as session:
        spy = Spy(session)
        found = child_counts(spy.spied(), ["mother", "nobody"])
    assert {id: str(count) for id, count in found.items()} == {"mother": "100+"}
    assert sum(spy.examined) <= 101


def test_failed_children_are_looked_for_among_so_many(skewed: Database) -> None:
    with skewed.reading() as session:
        spy = Spy(session)
        assert len(first_children(spy.spied(), "mother", EVERYTHING)) >= MAX_RELATIVES
    assert sum(spy.examined) <= MAX_RELATIVES + 1 + MAX_CHILDREN_SCANNED


def test_who_watches_a_parent_of_very_many_reads_some_of_them(skewed: Database) -> None:
    with skewed.reading() as session:
        spy = Spy(session)
        found = grouped(spy.spied(), CHILDREN, ["mother", "nobody"])
    assert [*found] == ["mother"]
    assert len(found["mother"]) == 500
    assert sum(spy.examined) <= 500


@pytest.mark.parametrize(
    ("query", "counted"),
    [
        ("status=PENDING", "6"),
        ("status=ERROR", "10"),
        ("status=failed", "10"),
        ("id=*abcde*", None),
        ("name=absent", None),
        ("name=common", None),
        ("parent=mother", None),
        ("attr.customer=8", "1"),
        ("status=ENQUEUED", "20,000"),
        ("by=completed&name=absent", None),
        ("customer=8", "0"),
    ],
)
def test_a_count_reads_no_more_than_it_may(
    skewed: Database, query: str, counted: str | None
) -> None:
    with skewed.reading() as session:
        spy = Spy(session)
        criteria = parse(QueryDict(query), now=T0, attributes=True)
        found = matching(spy.spied(), criteria, EVERYTHING)
    assert str(found) == counted if counted else found.at_least
    assert max(spy.examined, default=0) <= MAX_ROWS + 1
    assert sum(spy.examined) <= MAX_ROWS + INDEXED


def test_a_search_of_values_reads_its_runs_alone(skewed: Database) -> None:
    with skewed.reading() as session:
        spy = Spy(session)
        found = ValueSearch(spy.spied(), EVERYTHING, "absent", payload=True, budget_s=60).run()
    assert found.looked == MAX_RUNS
    assert found.after
    # The bounds of each chunk, its rows, those of equal time, and its values.
    assert sum(spy.examined) <= 4 * (MAX_RUNS + 2 * MAX_RUNS // CHUNK)
    assert len(spy.examined) <= 4 * MAX_RUNS // CHUNK


@pytest.mark.parametrize("viewer", [EVERYTHING, TINY])
def test_what_viewers_share_is_a_statement_each(skewed: Database, viewer: Viewer) -> None:
    with skewed.reading() as session:
        spy = Spy(session)
        found = counts(spy.spied(), viewer=viewer)
        names = facets(spy.spied(), viewer=viewer)["name"]
        assert first_of_many(spy.spied()) == 1_600_000_000_001
    is_whole = viewer is EVERYTHING
    assert found["ENQUEUED"].number == (20_000 if is_whole else 0)
    # The application has a thousandth of the newest 20,000 rows, of which one failed.
    assert str(found["SUCCESS"]) == ("10,000+" if is_whole else "19+")
    assert names == ["common"]
    in_flight_and_failed = 20_000 + 6 + 10
    counted, suggested, extent = spy.examined
    assert counted <= MOST + in_flight_and_failed
    assert suggested <= MOST
    assert extent <= MOST + 1
