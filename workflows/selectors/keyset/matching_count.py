"""How many workflows match a filter: exactly, or at least so many.

Of each range at most MAX_ROWS are read in all; no count reads the rest of a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dboshub.workflows.search.criteria import Criteria
from dboshub.workflows.search.predicates import Predicate
from dboshub.workflows.selectors.counts import Count
from dboshub.workflows.selectors.keyset.plan import plan_ranges
from dboshub.workflows.selectors.keyset.ranges import IdSetRange, IndexRange, KeysetRange
from dboshub.workflows.selectors.rows import COLUMNS
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.storage.sql import Session, cached_statement
from dboshub.workflows.storage.stored_values import whole

MAX_ROWS = 20_000


def matching(session: Session, criteria: Criteria, viewer: Viewer) -> Count:
    """The number of workflows of a filter; "at least" if more than MAX_ROWS rows had to be read."""
    number, left = 0, MAX_ROWS
    for each in plan_ranges(session, criteria, viewer):
        looked, matched = _counted(session, each, left)
        number += matched
        if looked > left:
            return Count(number, at_least=True)
        left -= looked
    return Count(number)


def _counted(session: Session, within: KeysetRange, most: int) -> tuple[int, int]:
    """How many rows of a range were read, up to one more than `most`, and how many matched."""
    if isinstance(within, IdSetRange):
        rows = (
            f"SELECT {_columns(within.predicates)} FROM {{workflow_status}} "
            "WHERE workflow_uuid = ANY(:ids)"
        )
        params: dict[str, Any] = {"ids": session.ids(within.ids)}
    else:
        assert isinstance(within, IndexRange)
        served = _all(within.where)
        # In the order of the index, so that the planner reads no more of the table.
        rows = (
            f"SELECT {_columns(within.predicates)} FROM {{workflow_status}} WHERE {served} "
            f"ORDER BY {within.column} DESC LIMIT :most"
        )
        params = {**_params(within.where), "most": most + 1}
    found = session.one(
        cached_statement(
            f"SELECT COUNT(*), SUM(CASE WHEN {_all(within.predicates)} THEN 1 ELSE 0 END) "
            f"FROM ({rows}) AS looked"
        ),
        **params,
        **_params(within.predicates),
    )
    assert found is not None
    return whole(found[0]) or 0, whole(found[1]) or 0


def _columns(predicates: Sequence[Predicate]) -> str:
    return ", ".join([COLUMNS, *{each.reads for each in predicates if each.reads}])


def _all(predicates: Sequence[Predicate]) -> str:
    return " AND ".join(f"({each.sql})" for each in predicates) or "1 = 1"


def _params(predicates: Sequence[Predicate]) -> dict[str, Any]:
    return {name: value for each in predicates for name, value in each.params.items()}
