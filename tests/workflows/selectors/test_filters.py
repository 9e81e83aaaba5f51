"""Each criterion means the same to the database and to Python, for any value and any row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import QueryDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dboshub.workflows.search.attributes import read_attributes
from dboshub.workflows.search.criteria import Criteria, parse
from dboshub.workflows.search.predicates import text_predicate
from dboshub.workflows.search.terms import TEXT_KEYS, TIME_COLUMNS
from dboshub.workflows.selectors.rows import COLUMNS, WorkflowRow, from_record
from dboshub.workflows.statuses import IN_FLIGHT, STATUSES
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.schema.migrate import migrate
from dboshub.workflows.storage.sql import Statement, cached_statement
from tests.support.rows import insert

T0 = 1_700_000_000_000
VALUES = (
    "",
    "a",
    "A",
    "ab",
    "a*",
    "!a",
    "-",
    "!-",
    "é",
    "a%b",
    "=a",
    "*a*",
    "*B*",
    "!*a*",
    "\N{ROCKET}",
    'x:"y',
    "DBOS.",
)
TEXTS = ("a", "ab", "é", "\N{ROCKET}x", 'x:"y\\', "-", "42")
SCALARS = (*TEXTS, 42, -1.5, 10**20, True, None, [42], {"a": 1})
PATHS = ("attr.a", "attr.a.b", "attr.é", "attr.0", "attr.none")
NUMBERS = ("42", "!42", "-1.5", "true", "null", "4*")
# What people type: a value from the table, a beginning of one, or anything at all.
TYPED = st.one_of(
    st.sampled_from(VALUES),
    st.sampled_from(VALUES).map(lambda value: value[:1] + "*"),
    st.sampled_from(VALUES).map(lambda value: f"!{value}"),
    st.text(max_size=5),
)
QUERIES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(TEXT_KEYS, TYPED),
        **{key: st.lists(TYPED, max_size=3) for key in ("id", "name", "queue")},
        **dict.fromkeys(PATHS, TYPED | st.sampled_from(NUMBERS)),
        "status": st.lists(st.sampled_from([*STATUSES, "in_flight", "!failed"]), max_size=3),
        "since": st.integers(T0 - 2, T0 + 12).map(str),
        "until": st.integers(T0 - 2, T0 + 12).map(str),
        "by": st.sampled_from([*TIME_COLUMNS]),
        "top": st.sampled_from(["1", ""]),
        "internal": st.sampled_from(["yes", ""]),
    },
)
BITS = ("name:", "-", "attr.a:", 'queue:"', '"', "\\", " ", "!", "*", "x", "status:", "failed", ":")
HOLD = "UPDATE {workflow_status} SET attributes = :held WHERE workflow_uuid = :id"
ATTRIBUTES = Statement(postgres=HOLD.replace(":held", "CAST(:held AS jsonb)"), sqlite=HOLD)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def varied(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """A database whose rows hold every value in every text column, NULL among them."""
    if request.param == "sqlite":
        yield from filled(f"sqlite:///{tmp_path_factory.mktemp('filters') / 'rows.sqlite3'}")
    else:
        with request.getfixturevalue("postgres_server").fresh_database() as url:
            yield from filled(url)


def filled(url: str) -> Iterator[Database]:
    database = open_database(url)
    migrate(database)
    held = [None, *VALUES]
    with database.writing() as session:
        for number in range(60):
            texts = {
                column: held[(number * (at + 2) + at) % len(held)]
                for at, column in enumerate(TEXT_KEYS.values())
            }
            key = insert(
                session,
                workflow_uuid=f"{VALUES[number % len(VALUES)]}{number}",
                status=STATUSES[number % len(STATUSES)],
                created_at=T0 + number % 10,
                started_at_epoch_ms=None if number % 4 == 0 else T0 + number % 12,
                completed_at=None if number % 3 == 0 else T0 + number % 11,
                **texts,
            )
            session.run(ATTRIBUTES, id=key, held=held_by(number))
    yield database
    database.close()


def held_by(number: int) -> str | None:
    """Attributes, written with and without escapes, at every depth."""
    one, other = SCALARS[number % len(SCALARS)], SCALARS[number * 5 % len(SCALARS)]
    held: list[Any] = [None, {"a": one, "é": other}, {"a": {"b": one}, "0": other}, {"a": [one]}]
    chosen = held[number % 4] if number % 7 else {"a": one}
    return None if chosen is None else json.dumps(chosen, ensure_ascii=number % 2 == 0)


class Row:
    """A row as predicates see it, its attributes beside it."""

    def __init__(self, row: WorkflowRow, attributes: str | None) -> None:
        self.row, self.attributes = row, read_attributes(attributes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


def both_ways(database: Database, criteria: Criteria) -> tuple[set[str], set[str]]:
    predicates = [each.on(database.dialect.vendor) for each in criteria.predicates()]
    params: dict[str, Any] = {}
    for predicate in predicates:
        params |= predicate.params
    where = " AND ".join(predicate.sql for predicate in predicates) or "1 = 1"
    with database.reading() as session:
        everything = session.all(
            cached_statement(f"SELECT {COLUMNS}, CAST(attributes AS text) FROM {{workflow_status}}")
        )
        found = session.all(
            cached_statement(f"SELECT workflow_uuid FROM {{workflow_status}} WHERE {where}"),
            **params,
        )
    rows = [Row(from_record(record), record[-1]) for record in everything]
    return {row[0] for row in found}, {r.workflow_uuid for r in rows if criteria.matches(r)}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(query=QUERIES)
def test_sql_and_predicate_choose_the_same_rows(varied: Database, query: dict[str, Any]) -> None:
    criteria = read(query)
    by_database, by_python = both_ways(varied, criteria)
    assert by_database == by_python


@settings(max_examples=60, deadline=None)
@given(key=st.sampled_from(sorted(TEXT_KEYS)), typed=TYPED.filter(lambda text: "\x00" not in text))
def test_a_condition_and_its_negation_share_every_row_between_them(
    varied: Database, key: str, typed: str
) -> None:
    def rows(value: str) -> set[str]:
        return both_ways(varied, Criteria(texts=((key, value),), internal=True))[0]

    everything = both_ways(varied, Criteria(internal=True))[0]
    # "!" alone is a name like any other, and has no negation.
    plain = typed if typed.strip("!") else "a"
    assert rows(plain) | rows(f"!{plain}") == everything
    assert not rows(plain) & rows(f"!{plain}")


@given(query=QUERIES)
def test_a_filter_survives_its_own_address_and_its_own_box(query: dict[str, Any]) -> None:
    criteria = read(query)
    assert parse(QueryDict(criteria.query()), now=T0, attributes=True) == criteria
    # The box writes a time as people read it.
    boxed = read({"q": criteria.box})
    assert replace(boxed, given=()) == replace(criteria, given=())
    assert boxed.box == criteria.box


@given(text=st.text(max_size=40) | st.lists(st.sampled_from(BITS), max_size=9).map("".join))
def test_whatever_is_typed_is_read_and_says_the_same_again(text: str) -> None:
    criteria = read({"q": text})
    again = read({"q": criteria.box})
    assert again.given == criteria.given
    assert set(again.problems) <= set(criteria.problems)


def read(query: dict[str, Any]) -> Criteria:
    return parse(QueryDict(urlencode(query, doseq=True)), now=T0, attributes=True)


def test_a_thousand_negations_are_read_like_none_or_one() -> None:
    none, one = (text_predicate("name", "name", "!" * count + "a") for count in (1_000, 999))
    row = type("Row", (), {"name": "a"})
    assert none.matches(row)
    assert not one.matches(row)


def test_a_beginning_tells_capitals_apart_as_python_does() -> None:
    predicate = text_predicate("name", "name", "Ab*")
    row = type("Row", (), {"name": "abc"})
    assert not predicate.matches(row)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("15m", T0 - 900_000),
        ("2 h", T0 - 7_200_000),
        ("7d", T0 - 604_800_000),
        ("2023-11-14T22:13:20", T0),
        ("2023-11-14T23:13:20+01:00", T0),
        (str(T0), T0),
    ],
)
def test_times_are_read_as_people_write_them(written: str, meant: int) -> None:
    assert parse(QueryDict(urlencode({"since": written})), now=T0).since == meant


def test_what_makes_no_sense_is_named_and_left_out() -> None:
    criteria = parse(QueryDict("since=yesterday&status=BOILING&status=ERROR"), now=T0)
    assert criteria.since is None
    assert criteria.statuses == ("ERROR",)
    assert len(criteria.problems) == 2


def test_a_box_full_of_nonsense_is_read_in_no_time_and_complained_of_briefly() -> None:
    hostile = (
        "x:" * 4_000,
        "nokey:y " * 1_000,
        '"' + "a" * 9_000,
        "-" * 9_000,
        "a:b:" + "\\" * 999,
    )
    for text in hostile:
        assert len(read({"q": text}).problems) <= 10
    many = read({"q": " ".join(f"name:{number}" for number in range(90))})
    assert "at most 50 criteria" in many.problems[0]
    assert len(many.texts) == 50


def test_statuses_that_leave_none_are_a_problem_and_not_all_statuses_in_silence() -> None:
    criteria = read({"status": ["ERROR", "!failed"]})
    assert criteria.statuses == ()
    assert "exclude every workflow" in criteria.problems[0]


def test_a_group_stands_for_its_statuses() -> None:
    assert parse(QueryDict("status=in_flight"), now=T0).statuses == IN_FLIGHT
