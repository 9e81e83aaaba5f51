"""Workflow ids by attributes, through the GIN index of PostgreSQL. SQLite has no such index.

The index collects all matches before it returns the first one. So the planner's estimate is read
first: a page of a common value is found faster without the index.
"""

from __future__ import annotations

import re
from typing import Any

from dboshub.workflows.search.attributes import documents
from dboshub.workflows.search.criteria import Criteria
from dboshub.workflows.storage.sql import Session, Statement, cached_statement

INDEX = "idx_workflow_status_attributes"
# Ids that are read and sorted: far fewer than the rows that a search for rare values scans.
MAX_IDS = 5_000
# The largest estimate for which the index is used; it returns a million rows in under a second.
MAX_EXPECTED_ROWS = 100_000
SCAN = re.compile(rf"Bitmap Index Scan on {INDEX}\b.*? rows=(\d+)")
# Until the end of the transaction or the next call. The planner underestimates the cache and
# prefers a scan of half the table to reading a hundredth of an index.
ONLY_BITMAPS = Statement("""
    SELECT set_config('enable_seqscan', :on, true), set_config('enable_indexscan', :on, true),
        set_config('enable_indexonlyscan', :on, true)
""")


def ids_with_attributes(session: Session, criteria: Criteria) -> list[str] | None:
    """A superset of the matching ids; None if the index cannot or should not be used."""
    wanted = _wanted(criteria) if session.vendor == "postgresql" else []
    if not wanted:
        return None
    params: dict[str, Any] = {}
    parts = []
    for at, alternatives in enumerate(wanted):
        names = [f"has_{at}_{number}" for number in range(len(alternatives))]
        params |= dict(zip(names, alternatives, strict=True))
        parts.append(" OR ".join(f"attributes @> CAST(:{name} AS jsonb)" for name in names))
    text = (
        "SELECT workflow_uuid FROM {workflow_status} WHERE attributes IS NOT NULL AND "
        f"{' AND '.join(f'({part})' for part in parts)} LIMIT :most"
    )
    session.one(ONLY_BITMAPS, on="off")
    plan = session.all(cached_statement(f"EXPLAIN {text}"), **params, most=MAX_IDS + 1)
    scans = [int(scan[1]) for (line,) in plan if (scan := SCAN.search(line))]
    found = (
        session.all(cached_statement(text), **params, most=MAX_IDS + 1)
        if _is_small(scans)
        else None
    )
    session.one(ONLY_BITMAPS, on="on")
    return None if found is None or len(found) > MAX_IDS else [id for (id,) in found]


def _is_small(scans: list[int]) -> bool:
    return bool(scans) and sum(scans) <= MAX_EXPECTED_ROWS


def _wanted(criteria: Criteria) -> list[list[str]]:
    """The containment documents of each attribute that the index can serve."""
    keys = dict.fromkeys(key for key in criteria.attributes)
    return [found for key in keys if (found := documents(key, criteria.values(key)))]
