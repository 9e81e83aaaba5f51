"""Apply a group of writes with one statement. PostgreSQL only.

A single write gets plain parameters (`postgres_plain`). Children have a statement of their own.

Every statement locks the rows of the writes' workflows with SKIP LOCKED, so it never waits for
another transaction, and writes only for the rows that it locked and whose owner is right. A write
that is missing from a result was refused, locked or repeated; it is then applied alone, on an
isolated connection, which returns which of them it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from dboshub.workflows.engine.journal.writes import (
    DONE,
    LOCKED,
    Answer,
    OutcomeWrite,
    StartWrite,
    StepWrite,
    Verdict,
    Write,
)
from dboshub.workflows.engine.records import Started
from dboshub.workflows.storage.journal import postgres_plain as plain
from dboshub.workflows.storage.journal.insert_workflow import COLUMNS, NAMES, values_of
from dboshub.workflows.storage.journal.step_columns import (
    GIVEN_STEP,
    GIVEN_STEP_VALUES,
    STEP_COLUMNS,
    step_row,
)
from dboshub.workflows.storage.sql import Statement

# One JSON parameter holds all rows: to adapt eleven arrays costs psycopg more than the commit.
_GIVEN_STEPS = f"""
    SELECT *
    FROM json_to_recordset(CAST(:steps AS json)) AS g ({GIVEN_STEP})
"""


def _fence(given: str) -> str:
    """The rows of the workflows that a relation names, locked."""
    return f"""
        SELECT workflow_uuid, owner_xid, status
        FROM {{workflow_status}}
        WHERE workflow_uuid = ANY(ARRAY(SELECT workflow_id FROM {given}))
        ORDER BY workflow_uuid
        FOR NO KEY UPDATE SKIP LOCKED
    """


_STEPS = f"""
    given AS MATERIALIZED ({_GIVEN_STEPS}),
    fence AS MATERIALIZED ({_fence("given")}),
    recorded AS (
        INSERT INTO {{operation_outputs}} ({STEP_COLUMNS})
        SELECT {GIVEN_STEP_VALUES}
        FROM given
        JOIN fence ON fence.workflow_uuid = given.workflow_id AND fence.owner_xid = given.owner
        ON CONFLICT (workflow_uuid, function_id) DO NOTHING
        RETURNING workflow_uuid, function_id
    )
"""

_INSERT_ROWS = f"""
    created AS (
        INSERT INTO {{workflow_status}} ({NAMES})
        SELECT {NAMES} FROM admitted
        ON CONFLICT DO NOTHING
        RETURNING workflow_uuid
    ),
    stored AS (
        INSERT INTO {{workflow_input}} (workflow_uuid, inputs, retention_timestamp)
        SELECT created.workflow_uuid, input.inputs, :now
        FROM created
        JOIN json_each_text(CAST(:inputs AS json)) AS input (id, inputs)
            ON input.id = created.workflow_uuid
        ON CONFLICT (workflow_uuid) DO NOTHING
    )
"""
# What all rows have in common is given once.
_GIVEN_ROWS = """
    SELECT *
    FROM json_populate_recordset(
        json_populate_record(NULL::{workflow_status}, CAST(:common AS json)),
        CAST(:rows AS json)
    )
"""

_STARTS = f"admitted AS MATERIALIZED ({_GIVEN_ROWS}), {_INSERT_ROWS}"

CHILDREN = Statement(
    f"""
    WITH given AS MATERIALIZED ({_GIVEN_STEPS}),
    fence AS MATERIALIZED ({_fence("given")}),
    admitted AS MATERIALIZED (
        SELECT child.*
        FROM ({_GIVEN_ROWS}) AS child
        JOIN given ON given.child_id = child.workflow_uuid
        JOIN fence ON fence.workflow_uuid = given.workflow_id AND fence.owner_xid = given.owner
    ),
    {_INSERT_ROWS}
    INSERT INTO {{operation_outputs}} ({STEP_COLUMNS})
    SELECT {GIVEN_STEP_VALUES}
    FROM given
    JOIN created ON created.workflow_uuid = given.child_id
    ON CONFLICT (workflow_uuid, function_id) DO NOTHING
    RETURNING 'child', child_workflow_id, 0
    """
)

_OUTCOMES = f"""
    outcome AS MATERIALIZED (
        SELECT *
        FROM json_to_recordset(CAST(:outcomes AS json)) AS g (
            workflow_id text, owner text, status text, output text, error text, ended_at bigint
        )
    ),
    ending AS MATERIALIZED ({_fence("outcome")}),
    ended AS (
        UPDATE {{workflow_status}} AS s
        SET status = outcome.status,
            deduplication_id = NULL,
            owner_xid = NULL,
            updated_at = outcome.ended_at,
            completed_at = outcome.ended_at
        FROM outcome
        JOIN ending ON ending.workflow_uuid = outcome.workflow_id
            AND ending.owner_xid = outcome.owner
            AND ending.status = 'PENDING'
        WHERE s.workflow_uuid = outcome.workflow_id
        RETURNING s.workflow_uuid, outcome.output, outcome.error, outcome.ended_at
    ),
    kept AS (
        INSERT INTO {{workflow_output}} (workflow_uuid, output, error, retention_timestamp)
        SELECT workflow_uuid, output, error, ended_at FROM ended
        ON CONFLICT (workflow_uuid) DO UPDATE
        SET output = excluded.output,
            error = excluded.error,
            retention_timestamp = excluded.retention_timestamp
        RETURNING workflow_uuid
    )
"""

# What a statement does, and what it returns of each row that it wrote, by kind.
_PARTS = {
    "start": (_STARTS, "SELECT 'start', workflow_uuid, 0 FROM created"),
    "step": (_STEPS, "SELECT 'step', workflow_uuid, function_id FROM recorded"),
    "outcome": (_OUTCOMES, "SELECT 'outcome', workflow_uuid, 0 FROM kept"),
}


@cache
def together(*kinds: str) -> Statement:
    """One statement for writes of these kinds. It commits by itself: no BEGIN, no COMMIT."""
    parts = [_PARTS[kind] for kind in kinds]
    ctes, rows = (list(each) for each in zip(*parts, strict=True))
    return Statement(f"WITH {', '.join(ctes)} {' UNION ALL '.join(rows)}")


STEPS, STARTS = together("step"), together("start")

Parameters = dict[str, Any]
Key = tuple[str, str, int]
Kinds = dict[str, list[Any]]


class Batch:
    """The statements of one group, in a fixed order, and the reading of their results."""

    def __init__(self, writes: Sequence[Write], now: int) -> None:
        # What is returned of each write if it is written, and the answer to it then.
        self._wanted: list[tuple[Key, Answer]] = []
        kinds: Kinds = {}
        for write in writes:
            key, answer = _wanted(write)
            self._wanted.append((key, answer))
            kinds.setdefault(key[0], []).append(write)
        self.statements = [
            (statement, parameters | {"now": now}) for statement, parameters in _statements(kinds)
        ]

    def answers(self, results: Sequence[Sequence[Any]]) -> list[Answer]:
        """The answer to each write, in the order of the writes; LOCKED if no statement wrote it."""
        written = {tuple(row) for rows in results for row in rows}
        return [answer if key in written else LOCKED for key, answer in self._wanted]


def _wanted(write: Write) -> tuple[Key, Answer]:
    match write:
        case StepWrite():
            return ("step", write.workflow_id, write.function_id), DONE
        case OutcomeWrite():
            return ("outcome", write.workflow_id, 0), DONE
        case StartWrite(parent=None):
            return ("start", write.row.workflow_uuid, 0), created(write)
        case StartWrite():
            return ("child", write.row.workflow_uuid, 0), created(write)
    raise TypeError(f"{type(write).__name__} is never part of a group")


def _statements(kinds: Kinds) -> Iterator[tuple[Statement, Parameters]]:
    if "child" in kinds:
        yield CHILDREN, _child_parameters(kinds["child"])
    others = [kind for kind in _PARAMETERS if kind in kinds]
    if len(others) > 1 and not _is_ended_within(kinds):
        parameters: Parameters = {}
        for kind in others:
            parameters |= _PARAMETERS[kind](kinds[kind])
        yield together(*others), parameters
        return
    for kind in others:
        match kinds[kind]:
            case [write]:
                yield plain.STATEMENTS[kind], plain.PARAMETERS[kind](write)
            case writes:
                yield together(kind), _PARAMETERS[kind](writes)


def _is_ended_within(kinds: Kinds) -> bool:
    """Whether a step and the outcome of one workflow are in this group.

    Within one statement the outcome could come first, and then the step would be refused.
    """
    ended = {write.workflow_id for write in kinds.get("outcome", ())}
    return any(write.workflow_id in ended for write in kinds.get("step", ()))


def created(write: StartWrite) -> Answer:
    """The answer to a start whose row this statement inserted."""
    row = write.row
    started = Started(created=True, status=row.status, serialization=row.serialization)
    return Answer(Verdict.DONE, started)


def step_parameters(steps: Sequence[StepWrite]) -> Parameters:
    """The parameters of STEPS."""
    return {"steps": json.dumps([step_row(step) for step in steps])}


def row_parameters(starts: Sequence[StartWrite]) -> Parameters:
    """The parameters of STARTS. No two starts have one workflow id."""
    columns = zip(*(values_of(each.row) for each in starts), strict=True)
    given = dict(zip(COLUMNS, columns, strict=True))
    common = {
        name: values[0]
        for name, values in given.items()
        if name != "workflow_uuid" and values.count(values[0]) == len(values)
    }
    varying = {name: values for name, values in given.items() if name not in common}
    rows = [
        dict(zip(varying, values, strict=True)) for values in zip(*varying.values(), strict=True)
    ]
    for each in (common, *rows):
        if each.get("attributes") is not None:
            each["attributes"] = json.loads(each["attributes"])
    return {
        "common": json.dumps(common),
        "rows": json.dumps(rows),
        "inputs": json.dumps({each.row.workflow_uuid: each.inputs for each in starts}),
    }


def _outcome_parameters(outcomes: Sequence[OutcomeWrite]) -> Parameters:
    return {"outcomes": json.dumps([plain.outcome_parameters(write) for write in outcomes])}


def _child_parameters(starts: Sequence[StartWrite]) -> Parameters:
    steps = [write.parent for write in starts if write.parent]
    return row_parameters(starts) | step_parameters(steps)


# In the order in which the kinds are written.
_PARAMETERS: dict[str, Callable[[Sequence[Any]], Parameters]] = {
    "start": row_parameters,
    "step": step_parameters,
    "outcome": _outcome_parameters,
}
