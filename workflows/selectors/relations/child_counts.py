"""The number of children of each workflow of a page, counted along an index up to a cap."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from dboshub.workflows.selectors.counts import Count
from dboshub.workflows.selectors.scope import EVERYTHING, Viewer
from dboshub.workflows.storage.sql import Session, Statement

# A page of fifty parents then reads at most 5,000 rows.
MAX_COUNTED = 100


def child_counts(
    session: Session, ids: Sequence[str], *, viewer: Viewer = EVERYTHING
) -> dict[str, Count]:
    """The number of children by workflow id, for workflows that have children."""
    scope, params = viewer.scope()
    found = session.all(_statement(scope), **params, ids=session.ids(ids), most=MAX_COUNTED + 1)
    return {
        id: Count(min(number, MAX_COUNTED), number > MAX_COUNTED) for id, number in found if number
    }


@lru_cache(maxsize=64)
def _statement(scope: str) -> Statement:
    few = (
        "SELECT parents.id, (SELECT COUNT(*) FROM (SELECT 1 FROM {workflow_status}"
        f" WHERE parent_workflow_id = parents.id AND {scope}"
        " LIMIT :most) AS few) FROM"
    )
    return Statement(
        postgres=f"{few} unnest(CAST(:ids AS text[])) AS parents(id)",
        sqlite=f"{few} (SELECT value AS id FROM json_each(:ids)) AS parents",
    )
