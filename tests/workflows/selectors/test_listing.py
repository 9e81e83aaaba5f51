"""Pages of the workflow list: complete, in order, and nothing twice, whatever ties."""

from __future__ import annotations

import uuid
from random import Random

import pytest
from django.http import QueryDict

from dboshub.workflows.search.criteria import Criteria, parse
from dboshub.workflows.selectors.keyset import plan, ranges
from dboshub.workflows.selectors.keyset.pages import Page, WorkflowPager, read_cursor, write_cursor
from dboshub.workflows.selectors.keyset.ranges import Position
from dboshub.workflows.selectors.rows import COLUMNS, from_record
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.schema.migrate import migrate
from dboshub.workflows.storage.sql import Session, Statement
from tests.support.postgres import Server
from tests.support.rows import insert, insert_all

T0 = 1_700_000_000_000
STATUSES = ("PENDING", "ENQUEUED", "DELAYED", "SUCCESS", "ERROR", "CANCELLED")
QUERIES = (
    "",
    "status=SUCCESS",
    "status=ERROR",
    "status=in_flight",
    "status=failed",
    "status=ENQUEUED",
    "status=DELAYED&status=PENDING",
    "name=alpha",
    "name=!alpha",
    "name=al*",
    "queue=fast",
    "queue=-",
    "queue=fast&status=ENQUEUED",
    "id=w-1",
    "parent=w-0001",
    "parent=!-",
    "app=shop&status=in_flight",
    f"since={T0 + 5}",
    f"until={T0 + 5}",
    f"since={T0 + 3}&until={T0 + 7}&status=failed",
    "top=1",
    "version=-",
    "user=ada&status=ERROR",
    "schedule=nightly",
    "forked_from=!w-0002",
    "name=alpha&name=beta&name=!b*",
    "id=w-00&id=w-01",
    "status=!SUCCESS",
    "internal=yes",
    "by=completed",
    f"by=started&since={T0 + 4}&queue=fast",
    "by=completed&status=ERROR",
    f"by=completed&until={T0 + 25}&parent=w-0001",
)


def seed(session: Session, count: int, *, moments: int, seed: int = 1) -> list[str]:
    random = Random(seed)
    return insert_all(
        session,
        (
            {
                "workflow_uuid": f"w-{number:04}",
                "status": (status := random.choice(STATUSES)),
                "created_at": T0 + random.randrange(moments),
                "name": random.choice(("alpha", "beta", "alpine", "_dbos_x", None)),
                "queue_name": random.choice(("fast", "slow"))
                if status in ("ENQUEUED", "DELAYED")
                else random.choice(("fast", None)),
                "priority": random.choice((0, 0, 5)),
                "application_name": random.choice(("shop", "bank", None)),
                "application_version": random.choice(("v1", None)),
                "authenticated_user": random.choice(("ada", None)),
                "parent_workflow_id": random.choice(("w-0001", None)),
                "forked_from": random.choice(("w-0002", None)),
                "schedule_name": random.choice(("nightly", None)),
                "delay_until_epoch_ms": T0 + 99 if status == "DELAYED" else None,
                "started_at_epoch_ms": random.choice((T0 + random.randrange(moments), None)),
                "completed_at": None
                if status in ("PENDING", "ENQUEUED", "DELAYED")
                else T0 + 20 + random.randrange(moments),
            }
            for number in range(count)
        ),
    )


def expected(session: Session, criteria: Criteria) -> set[str]:
    found = session.all(Statement(f"SELECT {COLUMNS} FROM {{workflow_status}}"))
    return {row.workflow_uuid for row in map(from_record, found) if criteria.matches(row)}


def all_pages(lister: WorkflowPager) -> list[Page]:
    """Follow "older" to the end, as a person clicking does."""
    pages = [lister.first()]
    while pages[-1].older:
        pages.append(lister.after(read_cursor(pages[-1].older)))
        assert len(pages) < 1_000
    return pages


def ids(pages: list[Page]) -> list[str]:
    return [row.workflow_uuid for page in pages for row in page.rows]


@pytest.fixture(params=[3, 10_000], ids=["many ties", "few ties"])
def ties(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """With a low limit every group of equal times is read along the primary key."""
    monkeypatch.setattr(ranges, "MAX_SORTED_TIES", request.param)
    return int(request.param)


@pytest.fixture(params=[500, 5], ids=["sets", "index ranges"])
def small(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a low limit no filter counts as a small set."""
    monkeypatch.setattr(plan, "MAX_ID_SET", request.param)


def test_pages_hold_every_row_of_a_filter_once_and_newest_first(
    database: Database, ties: int, small: None
) -> None:
    with database.writing() as session:
        seed(session, 150, moments=12)
    with database.reading() as session:
        for query in QUERIES:
            criteria = parse(QueryDict(query), now=T0)
            pages = all_pages(WorkflowPager(session, criteria, size=7, budget_s=60))
            shown = ids(pages)
            assert len(shown) == len(set(shown)), query
            assert set(shown) == expected(session, criteria), query
            times = [getattr(row, criteria.time_column) for page in pages for row in page.rows]
            assert times == sorted(times, reverse=True), query
            assert all(len(page.rows) == 7 for page in pages[:-1]), query


def test_pages_are_complete_under_a_collation_that_mixes_cases_and_skips_dashes(
    postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"t_icu_{uuid.uuid4().hex}"
    options = "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en'"
    postgres_server.run(f'CREATE DATABASE "{name}" {options}')
    monkeypatch.setattr(ranges, "MAX_SORTED_TIES", 3)
    monkeypatch.setattr(plan, "MAX_ID_SET", 20)
    database = open_database(postgres_server.url(name))
    try:
        migrate(database)
        with database.writing() as session:
            for number in range(120):
                written = f"{'wWé-'[number % 4]}{'-' * (number % 3)}{number % 30}-{number}"
                insert(session, workflow_uuid=written, created_at=T0 + number % 5)
        with database.reading() as session:
            for query in ("", "id=w", "id=W", "id=-", "id=w-1", "id=é", "name=work"):
                criteria = parse(QueryDict(query), now=T0)
                shown = ids(all_pages(WorkflowPager(session, criteria, size=7, budget_s=60)))
                assert len(shown) == len(set(shown)), query
                assert set(shown) == expected(session, criteria), query
                assert shown, query
    finally:
        database.close()
        postgres_server.run(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_rows_of_one_range_with_equal_times_are_ordered_by_id(
    database: Database, ties: int
) -> None:
    with database.writing() as session:
        seed(session, 60, moments=3)
    with database.reading() as session:
        pages = all_pages(WorkflowPager(session, Criteria(), size=8))
    keys = [(row.created_at, row.workflow_uuid) for page in pages for row in page.rows]
    assert keys == sorted(keys, reverse=True)


def test_newer_leads_back_over_the_same_pages(database: Database, ties: int, small: None) -> None:
    with database.writing() as session:
        seed(session, 150, moments=12)
    with database.reading() as session:
        for query in QUERIES:
            lister = WorkflowPager(session, parse(QueryDict(query), now=T0), size=7, budget_s=60)
            pages = all_pages(lister)
            for later, page in zip(pages[1:], pages, strict=False):
                cursor = read_cursor(later.newer or "")
                assert cursor is not None
                assert ids([lister.before(cursor)]) == ids([page]), query


def test_deleting_the_row_of_a_cursor_breaks_nothing(database: Database) -> None:
    with database.writing() as session:
        seed(session, 30, moments=4)
        lister = WorkflowPager(session, Criteria(), size=10)
        before = ids(all_pages(lister))
        first = lister.first()
        session.run(
            Statement("DELETE FROM {workflow_status} WHERE workflow_uuid = :id"),
            id=first.rows[-1].workflow_uuid,
        )
        rest = ids([lister.after(read_cursor(first.older or ""))])
    assert rest == before[10:20]


def test_rows_added_meanwhile_shift_no_page(database: Database) -> None:
    with database.writing() as session:
        seed(session, 30, moments=4)
        lister = WorkflowPager(session, Criteria(), size=10)
        before = ids(all_pages(lister))
        first = lister.first()
        insert(session, workflow_uuid="new", created_at=T0 + 100)
        assert ids([lister.after(read_cursor(first.older or ""))]) == before[10:20]


def test_a_search_out_of_time_says_how_far_it_came_and_continues_there(database: Database) -> None:
    with database.writing() as session:
        for number in range(400):
            insert(
                session,
                workflow_uuid=f"w-{number:04}",
                created_at=T0 + number,
                name="rare" if number in (3, 350) else "common",
            )
    with database.reading() as session:
        lister = WorkflowPager(session, Criteria(texts=(("name", "rare"),)), size=5, budget_s=-1)
        pages = all_pages(lister)
    assert ids(pages) == ["w-0350", "w-0003"]
    assert len(pages) > 1
    stops = [page.searched_to for page in pages[:-1]]
    assert None not in stops
    assert stops == sorted(set(stops), reverse=True)
    assert pages[-1].searched_to is None


def test_a_viewer_sees_only_the_applications_of_their_scope(database: Database) -> None:
    viewer = Viewer(applications=frozenset({"shop"}), unclaimed=False)
    with database.writing() as session:
        seed(session, 80, moments=12)
    with database.reading() as session:
        for query in QUERIES:
            criteria = parse(QueryDict(query), now=T0)
            pages = all_pages(WorkflowPager(session, criteria, viewer, size=7, budget_s=60))
            assert all(row.application_name == "shop" for page in pages for row in page.rows)


def test_a_cursor_is_read_as_it_was_written() -> None:
    for at in (T0, 2**63 - 1, -(2**63)):
        for workflow_id in ("an id ~ with / and \N{SNOWMAN}", "a\x00b", "two\nlines", ""):
            place = Position(at, "q1", workflow_id)
            assert read_cursor(write_cursor(place)) == place


@pytest.mark.parametrize(
    "text", ["", "~", "x~y~z", "1~y", "9" * 40 + "~a~b", f"{2**63}~a~b", "--1~a~b"]
)
def test_a_cursor_that_is_none_of_ours_begins_at_the_top(text: str) -> None:
    assert read_cursor(text) is None


@pytest.mark.parametrize("at", [T0, 2**63 - 1, -(2**63)])
def test_every_id_and_time_that_a_database_takes_can_end_a_page(
    database: Database, at: int
) -> None:
    odd = ["a\x00b", "a\x00c"] if database.vendor == "sqlite" else ["a\x01b", "a\x01c"]
    wanted = ["z", *reversed(odd), "a", " "]
    with database.writing() as session:
        same = {"status": "ERROR", "created_at": at}
        insert_all(session, [{"workflow_uuid": each, **same} for each in wanted])
    with database.reading() as session:
        for query in ("", "status=failed"):
            lister = WorkflowPager(session, parse(QueryDict(query), now=T0), size=1, budget_s=60)
            assert ids(all_pages(lister)) == wanted


def test_a_cursor_with_a_nul_is_none_of_any_other_database(database: Database) -> None:
    with database.writing() as session:
        insert_all(session, [{"workflow_uuid": each, "created_at": T0} for each in "abc"])
    with database.reading() as session:
        lister = WorkflowPager(session, Criteria(), size=2)
        assert ids([lister.after(read_cursor(f"{T0}~all~b\x00z"))]) in (["b", "a"], ["a"])
