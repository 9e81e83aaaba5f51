"""Attributes are found through the index where there is one, and are the same without it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.http import QueryDict

from dboshub.workflows.search.criteria import parse
from dboshub.workflows.selectors.keyset import attribute_index
from dboshub.workflows.selectors.keyset.merge import MAX_CHUNK
from dboshub.workflows.selectors.keyset.pages import WorkflowPager
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Session, Statement
from tests.support.rows import insert
from tests.workflows.selectors.test_plans import Spy, filled

T0 = 1_700_000_000_000
HELD: list[Any] = [
    {"a": 1},
    {"a": 1.0},
    {"a": "1"},
    {"a": None},
    {"a": True},
    {"a": "true"},
    {"a": "ü\\"},
    {"a": {"b": 2}},
    {"a": [1]},
    {"b": 1},
    {"a": 1, "b": 1},
    {"a": "1e5"},
    {"a": "x*"},
    None,
]
GIVE = Statement(
    postgres="UPDATE {workflow_status} SET attributes = CAST(:held AS jsonb)"
    " WHERE workflow_uuid = :id",
    sqlite="UPDATE {workflow_status} SET attributes = :held WHERE workflow_uuid = :id",
)
MANY = """
INSERT INTO {workflow_status} (workflow_uuid, status, created_at, updated_at, attributes)
SELECT md5(n::text), 'SUCCESS', n, 0, jsonb_build_object('customer', n, 'tier',
    CASE WHEN n % 20000 = 0 THEN 'gold' WHEN n % 25 = 0 THEN 'silver' ELSE 'plain' END)
FROM generate_series(1, {count}) AS n;
ANALYZE {workflow_status};
"""


def found(session: Session, query: str) -> list[str]:
    criteria = parse(QueryDict(query), now=T0, attributes=True)
    return [row.pk for row in WorkflowPager(session, criteria).first().rows]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("attr.a=1", [0, 2, 10]),
        ("attr.a=!!1", [0, 2, 10]),
        ("attr.a=1&attr.a=true", [0, 2, 4, 5, 10]),
        ("attr.a=1&attr.b=1", [10]),
        ("attr.a=1&attr.a=!1", []),
        ("attr.a.b=2", [7]),
        ("attr.a=null", [3]),
        ("attr.a=ü\\", [6]),
        ("attr.a=1e5", [11]),
        ("attr.a=-&attr.b=1", [9]),
        ("attr.a==x*", [12]),
        ("attr.a=x*&attr.b=!1", [12]),
    ],
)
def test_the_index_leads_to_what_the_predicate_holds(
    database: Database, query: str, expected: list[int]
) -> None:
    with database.writing() as session:
        for at, held in enumerate(HELD):
            insert(session, workflow_uuid=f"w{at:02}", created_at=T0 + at)
            text = None if held is None else json.dumps(held)
            session.run(GIVE, id=f"w{at:02}", held=text)
        ids = [f"w{at:02}" for at in sorted(expected, reverse=True)]
        assert found(session, query) == ids


def test_a_rare_value_costs_its_rows_and_a_common_one_is_not_gathered(
    postgres_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres_server.fresh_database() as url:
        for database in filled(url, MANY):
            with database.writing() as session:
                for query, most in (("attr.customer=8", 2), ("attr.tier=gold", 20)):
                    spy = Spy(session)
                    assert found(spy.spied(), query)
                    assert sum(spy.examined) <= most, query
                    assert len(spy.examined) <= 5, query
                # Too many to sort, or to gather at all: the newest rows hold a page of them.
                for query, expected in (("attr.tier=silver", 100_000), ("attr.tier=plain", 1)):
                    monkeypatch.setattr(attribute_index, "MAX_EXPECTED_ROWS", expected)
                    spy = Spy(session)
                    assert len(found(spy.spied(), query)) == 50
                    assert max(spy.examined) <= MAX_CHUNK, query
