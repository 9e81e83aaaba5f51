"""SQLite reads the list through the indexes it has: it names the one it will use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.http import QueryDict

from dboshub.workflows.search.criteria import parse
from dboshub.workflows.selectors.counts import counts, in_flight_of, older_in_flight
from dboshub.workflows.selectors.executor_overview import executor_overview
from dboshub.workflows.selectors.facets import facets
from dboshub.workflows.selectors.keyset import plan
from dboshub.workflows.selectors.keyset.pages import WorkflowPager
from dboshub.workflows.selectors.relations.child_counts import child_counts
from dboshub.workflows.selectors.scope import EVERYTHING
from dboshub.workflows.selectors.workflow_health import recovered_repeatedly
from dboshub.workflows.statuses import FAILED
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.listing.watch import CHILDREN, grouped
from dboshub.workflows.storage.schema.migrate import migrate
from dboshub.workflows.storage.sql import Cursor, Session
from tests.support.rows import insert

T0 = 1_700_000_000_000


@pytest.fixture
def filled(sqlite_url: str) -> Iterator[Database]:
    database = open_database(sqlite_url)
    migrate(database)
    statuses = ("PENDING", "ENQUEUED", "SUCCESS", *FAILED)
    with database.writing() as session:
        for number in range(60):
            insert(
                session,
                workflow_uuid=f"w-{number}",
                status=statuses[number % len(statuses)],
                created_at=T0 + number,
                queue_name="q",
                parent_workflow_id="mother",
            )
    yield database
    database.close()


def plans(session: Session) -> tuple[Session, list[str]]:
    """A session that notes how SQLite goes about each statement on workflows."""
    notes: list[str] = []

    def execute(text: str, params: dict[str, Any]) -> Cursor:
        if "workflow_status" in text:
            plan = session._execute(f"EXPLAIN QUERY PLAN {text}", params)
            notes.extend(row[3] for row in plan.fetchall())
        return session._execute(text, params)

    return Session(session.dialect, execute, session._script), notes


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("", "workflow_status_created_at_index"),
        (f"since={T0 + 3}&until={T0 + 50}&name=work", "workflow_status_created_at_index"),
        ("status=PENDING", "idx_workflow_status_pending"),
        ("status=ERROR", "idx_workflow_status_failed"),
        ("status=failed", "idx_workflow_status_failed"),
        ("status=ENQUEUED", "idx_workflow_status_in_flight_v2"),
        ("status=ENQUEUED&queue=q", "idx_workflow_status_in_flight_v2"),
        ("status=DELAYED", "idx_workflow_status_delayed"),
        ("parent=mother", "idx_workflow_status_parent_workflow_id"),
        ("forked_from=x", "idx_workflow_status_forked_from"),
        ("schedule=x", "idx_workflow_status_schedule_name"),
        ("id=w", "sqlite_autoindex_workflow_status_1"),
        ("by=completed&name=work", "idx_workflow_status_completed_at"),
        (f"by=started&since={T0}", "idx_workflow_status_started_at"),
    ],
)
@pytest.mark.parametrize("small", [500, 3], ids=["sets", "ranges"])
def test_no_filter_scans_the_table(
    filled: Database, monkeypatch: pytest.MonkeyPatch, small: int, query: str, index: str
) -> None:
    monkeypatch.setattr(plan, "MAX_ID_SET", small)
    with filled.reading() as session:
        spied, notes = plans(session)
        WorkflowPager(spied, parse(QueryDict(query), now=T0), size=5).first()
    assert any(index in note for note in notes), notes
    assert not [note for note in notes if note == "SCAN workflow_status"]


def test_what_is_counted_and_suggested_is_read_from_indexes(filled: Database) -> None:
    with filled.reading() as session:
        spied, notes = plans(session)
        counts(spied)
        facets(spied)
        in_flight_of(spied, "q")
        child_counts(spied, ["mother"])
        grouped(spied, CHILDREN, ["mother"])
    assert not [note for note in notes if note == "SCAN workflow_status"]
    # Without it SQLite sorts all children before it takes some.
    assert "MATERIALIZE few" in notes
    for index in ("pending", "delayed", "failed", "in_flight_v2"):
        assert any(f"idx_workflow_status_{index}" in note for note in notes), notes


def test_a_backlog_is_read_in_the_order_of_its_index_and_not_sorted(filled: Database) -> None:
    with filled.reading() as session:
        spied, notes = plans(session)
        older_in_flight(spied, T0)
        recovered_repeatedly(spied, EVERYTHING)
        executor_overview(spied, EVERYTHING, now=T0)
    assert any("idx_workflow_status_in_flight_v2" in note for note in notes)
    assert not [note for note in notes if "RIGHT PART OF ORDER BY" in note]
