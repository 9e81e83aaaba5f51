"""Searches the steps of a workflow by name and failure, and sums up where its time went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dboshub.workflows.selectors.detail.steps import (
    COLUMNS,
    PAGE_SIZE,
    StepPage,
    StepRow,
    from_records,
)
from dboshub.workflows.selectors.detail.values import sized
from dboshub.workflows.storage.sql import Session, Statement
from dboshub.workflows.storage.stored_values import whole

# Rows that one search scans. Step ids are dense, so a range of ids bounds the rows.
MAX_STEPS_SCANNED = 10_000
BUCKETS = 100


def _search(condition: str) -> Statement:
    sql = f"""
        SELECT {COLUMNS} FROM {{operation_outputs}}
        WHERE workflow_uuid = :id AND function_id >= :bound AND function_id < :bound + :looked
            AND {condition}
        ORDER BY function_id LIMIT :most
    """
    with_sizes = sized(sql)
    return Statement(
        postgres=with_sizes.postgres.replace("PLACE(", "STRPOS("),
        sqlite=with_sizes.sqlite.replace("PLACE(", "INSTR("),
    )


NAMED = _search("PLACE(LOWER(function_name), :text) > 0")
FAILED = _search("PLACE(LOWER(function_name), :text) > 0 AND error IS NOT NULL")
BEYOND = Statement(
    """
    SELECT function_id FROM {operation_outputs}
    WHERE workflow_uuid = :id AND function_id >= :bound
    ORDER BY function_id LIMIT 1
    """
)
# The end of a sleep is recorded when it begins, so sleeps are not counted as time spent.
STEP_MAP = Statement(
    """
    SELECT (function_id - :first) / :width, MIN(function_id), MAX(function_id), COUNT(error), SUM(
        CASE WHEN completed_at_epoch_ms > started_at_epoch_ms AND function_name <> 'DBOS.sleep'
            THEN CAST(completed_at_epoch_ms AS double precision) - started_at_epoch_ms ELSE 0 END
    )
    FROM {operation_outputs}
    WHERE workflow_uuid = :id AND function_id >= :first AND function_id < :end
    GROUP BY 1
    ORDER BY 1
    """
)


@dataclass(frozen=True, slots=True)
class StepMatches:
    """The found steps. `continue_at` is the step id to continue from, None at the end."""

    steps: tuple[StepRow, ...]
    continue_at: int | None


@dataclass(frozen=True, slots=True)
class Bucket:
    """Some consecutive steps, the number that failed, and their total time in ms."""

    first: int
    last: int
    failed: int
    took_ms: int


def first_around(page: StepPage) -> int:
    """The first of the steps around a page that are looked at: 0 if there are few in all."""
    return max(0, page.first - MAX_STEPS_SCANNED // 2) if page.is_capped else 0


def search(
    session: Session, workflow_id: str, *, text: str = "", failed: bool = False, start: int = 0
) -> StepMatches:
    """A page of steps from id `start` on whose name contains the text, ignoring case."""
    statement = FAILED if failed else NAMED
    found = from_records(
        session.all(
            statement,
            id=workflow_id,
            bound=start,
            looked=MAX_STEPS_SCANNED,
            text=text.lower(),
            most=PAGE_SIZE + 1,
        )
    )
    if len(found) > PAGE_SIZE:
        return StepMatches(tuple(found[:PAGE_SIZE]), found[PAGE_SIZE].function_id)
    beyond = session.one(BEYOND, id=workflow_id, bound=start + MAX_STEPS_SCANNED)
    return StepMatches(tuple(found), beyond[0] if beyond else None)


def step_map(session: Session, workflow_id: str, page: StepPage) -> Sequence[Bucket]:
    """MAX_STEPS_SCANNED steps around a page in about BUCKETS buckets of equal length."""
    width = max(1, -(-min(page.total, MAX_STEPS_SCANNED) // BUCKETS))
    first = first_around(page)
    end = first + MAX_STEPS_SCANNED
    rows = session.all(STEP_MAP, id=workflow_id, width=width, first=first, end=end)
    return [
        Bucket(first, last, failed, max(0, whole(took) or 0))
        for _, first, last, failed, took in rows
    ]
