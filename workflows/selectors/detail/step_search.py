"""Finding steps among many: by a part of their name, by failure, and where the time went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dboshub.workflows.selectors.detail.steps import COLUMNS, PAGE, StepRow, from_records
from dboshub.workflows.selectors.detail.values import sized
from dboshub.workflows.storage.sql import Session, Statement

# Rows that one search looks through. Step numbers are dense, so a range of them is a cap.
LOOKED = 10_000
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
# A sleep's end lies in the future while it sleeps: it says nothing of time spent.
MAP = Statement(
    """
    SELECT function_id / :width, MIN(function_id), MAX(function_id), COUNT(error), SUM(
        CASE WHEN completed_at_epoch_ms > started_at_epoch_ms AND function_name <> 'DBOS.sleep'
            THEN completed_at_epoch_ms - started_at_epoch_ms ELSE 0 END
    )
    FROM {operation_outputs}
    WHERE workflow_uuid = :id AND function_id < :looked
    GROUP BY 1
    ORDER BY 1
    """
)


@dataclass(frozen=True, slots=True)
class StepMatches:
    """What a search found. `continue_at` is the step to go on from, None at the end."""

    steps: tuple[StepRow, ...]
    continue_at: int | None


@dataclass(frozen=True, slots=True)
class Bucket:
    """Some consecutive steps: how many failed and how long they took together."""

    first: int
    last: int
    failed: int
    took_ms: int


def search(
    session: Session, workflow_id: str, *, text: str = "", failed: bool = False, start: int = 0
) -> StepMatches:
    """A page of the steps from `start` on whose name has the text, in any case of letters."""
    statement = FAILED if failed else NAMED
    found = from_records(
        session.all(
            statement,
            id=workflow_id,
            bound=start,
            looked=LOOKED,
            text=text.lower(),
            most=PAGE + 1,
        )
    )
    if len(found) > PAGE:
        return StepMatches(tuple(found[:PAGE]), found[PAGE].function_id)
    beyond = session.one(BEYOND, id=workflow_id, bound=start + LOOKED)
    return StepMatches(tuple(found), beyond[0] if beyond else None)


def step_map(session: Session, workflow_id: str, total: int) -> Sequence[Bucket]:
    """The first LOOKED of so many steps in about BUCKETS parts of equal length."""
    width = max(1, -(-min(total, LOOKED) // BUCKETS))
    rows = session.all(MAP, id=workflow_id, width=width, looked=LOOKED)
    return [Bucket(first, last, failed, int(took or 0)) for _, first, last, failed, took in rows]
