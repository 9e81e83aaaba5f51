"""Counts workflows by status: along an index up to a cap, or among the newest rows."""

from __future__ import annotations

from dataclasses import dataclass

from dboshub.workflows.selectors.keyset.index_predicates import (
    FAILED_INDEX,
    enqueued_order,
    enqueued_predicate,
)
from dboshub.workflows.selectors.scope import EVERYTHING, Viewer, all_in_scope
from dboshub.workflows.statuses import FAILED
from dboshub.workflows.storage.sql import Session, Statement

# No index serves SUCCESS: it is counted among this many of the newest rows.
NEWEST_ROWS = 20_000
SHOWN_CAP = 10_000
# Rows that are counted along an index; this takes some milliseconds.
MAX_INDEXED = 100_000
MAX_OLDER = 500

# The scope is no part of what is scanned: an application may have few rows among millions.
SUCCEEDED = """
    SELECT 'SUCCESS', COALESCE(SUM(CASE WHEN status = 'SUCCESS' AND SCOPE THEN 1 ELSE 0 END), 0),
        COUNT(*)
    FROM (
        SELECT status, application_name FROM {workflow_status}
        ORDER BY created_at DESC LIMIT :newest
    ) AS newest
"""
EXTENT = Statement(
    "SELECT (SELECT MIN(created_at) FROM {workflow_status}) AS created_at,"
    " (SELECT COUNT(*) FROM (SELECT 1 AS one FROM {workflow_status}"
    " ORDER BY created_at DESC LIMIT :newest) AS newest)"
)
IN_FLIGHT_OF_QUEUE = """
    SELECT COUNT(*) FROM (
        SELECT 1 FROM {workflow_status}
        WHERE queue_name = :queue AND status IN ('ENQUEUED', 'PENDING') AND SCOPE
        LIMIT :most
    ) AS counted
"""


@dataclass(frozen=True, slots=True)
class Count:
    """A number of rows: a lower bound if `at_least`, an estimate if `is_about`."""

    number: int
    at_least: bool = False
    is_about: bool = False

    def __str__(self) -> str:
        return f"{'≈' if self.is_about else ''}{self.number:,}{'+' if self.at_least else ''}"


def counts(
    session: Session, *, viewer: Viewer = EVERYTHING, with_succeeded: bool = True
) -> dict[str, Count]:
    """Counts by status, exact up to MAX_INDEXED; SUCCESS is counted among the newest rows."""
    served = {
        "PENDING": "status = 'PENDING'",
        "ENQUEUED": enqueued_predicate(session),
        "DELAYED": "status = 'DELAYED'",
    } | {status: f"status = '{status}' AND {FAILED_INDEX}" for status in FAILED}
    parts = [
        f"SELECT '{status}', COUNT(*), CAST(NULL AS bigint) FROM (SELECT 1 FROM {{workflow_status}}"
        f" WHERE {where} AND SCOPE LIMIT :most) AS few_{status.lower()}"
        for status, where in served.items()
    ]
    params = {"most": MAX_INDEXED + 1}
    if with_succeeded:
        parts.append(SUCCEEDED)
        params["newest"] = NEWEST_ROWS
    found = all_in_scope(session, " UNION ALL ".join(parts), viewer, **params)
    return {status: _count(number, seen) for status, number, seen in found}


def first_of_many(session: Session) -> int | None:
    """When the oldest row was created (epoch ms), if the table has more rows than those among
    which SUCCESS is counted."""
    found = session.one(EXTENT, newest=NEWEST_ROWS)
    return found[0] if found and found[1] >= NEWEST_ROWS else None


def older_in_flight(session: Session, before: int, *, viewer: Viewer = EVERYTHING) -> Count:
    """Running and enqueued workflows created before a time (epoch ms).

    At most MAX_OLDER rows of each are read; of enqueued ones the oldest of each queue first.
    """
    waiting = (
        f"SELECT created_at FROM {{workflow_status}} WHERE {enqueued_predicate(session)} AND SCOPE"
        f" ORDER BY {enqueued_order(session)} LIMIT :most"
    )
    running = (
        "SELECT created_at FROM {workflow_status} WHERE status = 'PENDING' AND SCOPE"
        " AND created_at < :before ORDER BY created_at LIMIT :most"
    )
    sql = " UNION ALL ".join(
        "SELECT COALESCE(SUM(CASE WHEN created_at < :before THEN 1 ELSE 0 END), 0), COUNT(*)"
        f" FROM ({part}) AS looked"
        for part in (running, waiting)
    )
    found = all_in_scope(session, sql, viewer, before=before, most=MAX_OLDER)
    return Count(
        sum(number for number, _ in found), at_least=any(seen >= MAX_OLDER for _, seen in found)
    )


def in_flight_of(session: Session, queue: str, *, viewer: Viewer = EVERYTHING) -> Count:
    """Running and enqueued workflows of a queue, up to SHOWN_CAP, along the in-flight index.

    Delayed workflows are not on the queue yet. No index serves the ended workflows of a queue.
    """
    [(number,)] = all_in_scope(session, IN_FLIGHT_OF_QUEUE, viewer, queue=queue, most=SHOWN_CAP + 1)
    return Count(min(number, SHOWN_CAP), at_least=number > SHOWN_CAP)


def total(parts: list[Count]) -> Count:
    return Count(
        sum(part.number for part in parts),
        any(part.at_least for part in parts),
        any(part.is_about for part in parts),
    )


def _count(number: int, seen: int | None) -> Count:
    """A count among the `seen` newest rows, or along an index if `seen` is None."""
    if seen is None:
        return Count(min(number, MAX_INDEXED), at_least=number > MAX_INDEXED)
    if seen < NEWEST_ROWS:
        return Count(number)
    return Count(min(number, SHOWN_CAP), at_least=True)
