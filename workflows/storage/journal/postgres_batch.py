"""Apply a group of writes with one statement for each kind of write. PostgreSQL only.

The only write of its kind gets plain parameters (`postgres_plain`).

Every statement locks the rows of the writes' workflows with SKIP LOCKED, so it never waits for
another transaction, and writes only for the rows that it locked and whose owner is right. A write
that is missing from a result was refused, locked or repeated; it is then applied alone, on an
isolated connection, which returns which of them it was.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from operator import attrgetter
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
from dboshub.workflows.storage.journal.insert_workflow import COLUMNS, NAMES
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
_FENCE = """
    SELECT workflow_uuid, owner_xid, status
    FROM {workflow_status}
    WHERE workflow_uuid = ANY(ARRAY(SELECT workflow_id FROM given))
    ORDER BY workflow_uuid
    FOR NO KEY UPDATE SKIP LOCKED
"""

STEPS = Statement(
    f"""
    WITH given AS MATERIALIZED ({_GIVEN_STEPS}),
    fence AS MATERIALIZED ({_FENCE})
    INSERT INTO {{operation_outputs}} ({STEP_COLUMNS})
    SELECT {GIVEN_STEP_VALUES}
    FROM given
    JOIN fence ON fence.workflow_uuid = given.workflow_id AND fence.owner_xid = given.owner
    ON CONFLICT (workflow_uuid, function_id) DO NOTHING
    RETURNING workflow_uuid, function_id
    """
)

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

STARTS = Statement(
    f"""
    WITH admitted AS MATERIALIZED ({_GIVEN_ROWS}), {_INSERT_ROWS}
    SELECT workflow_uuid FROM created
    """
)

CHILDREN = Statement(
    f"""
    WITH given AS MATERIALIZED ({_GIVEN_STEPS}),
    fence AS MATERIALIZED ({_FENCE}),
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
    RETURNING child_workflow_id
    """
)

OUTCOMES = Statement(
    f"""
    WITH given AS MATERIALIZED (
        SELECT *
        FROM json_to_recordset(CAST(:outcomes AS json)) AS g (
            workflow_id text, owner text, status text, output text, error text, ended_at bigint
        )
    ),
    fence AS MATERIALIZED ({_FENCE}),
    ended AS (
        UPDATE {{workflow_status}} AS s
        SET status = given.status,
            deduplication_id = NULL,
            owner_xid = NULL,
            updated_at = given.ended_at,
            completed_at = given.ended_at
        FROM given
        JOIN fence ON fence.workflow_uuid = given.workflow_id
            AND fence.owner_xid = given.owner
            AND fence.status = 'PENDING'
        WHERE s.workflow_uuid = given.workflow_id
        RETURNING s.workflow_uuid, given.output, given.error, given.ended_at
    )
    INSERT INTO {{workflow_output}} (workflow_uuid, output, error, retention_timestamp)
    SELECT workflow_uuid, output, error, ended_at FROM ended
    ON CONFLICT (workflow_uuid) DO UPDATE
    SET output = excluded.output,
        error = excluded.error,
        retention_timestamp = excluded.retention_timestamp
    RETURNING workflow_uuid
    """
)

Parameters = dict[str, Any]
_values = attrgetter(*COLUMNS)


class Batch:
    """The statements of one group, in a fixed order, and the reading of their results."""

    def __init__(self, writes: Sequence[Write], now: int) -> None:
        self.size = len(writes)
        self.now = now
        self.statements: list[tuple[Statement, Parameters]] = []
        self._wanted: list[list[tuple[int, Any, Answer]]] = []
        places = list(enumerate(writes))
        self._add_children([(n, w) for n, w in places if isinstance(w, StartWrite) and w.parent])
        self._add_starts([(n, w) for n, w in places if isinstance(w, StartWrite) and not w.parent])
        self._add_steps([(n, w) for n, w in places if isinstance(w, StepWrite)])
        self._add_outcomes([(n, w) for n, w in places if isinstance(w, OutcomeWrite)])

    def answers(self, results: Sequence[Sequence[Any]]) -> list[Answer]:
        """The answer to each write, in the order of the writes; LOCKED if no statement wrote it."""
        found = [LOCKED] * self.size
        for wanted, rows in zip(self._wanted, results, strict=True):
            written = {row[0] if len(row) == 1 else tuple(row) for row in rows}
            for place, key, answer in wanted:
                if key in written:
                    found[place] = answer
        return found

    def _add(
        self, statement: Statement, parameters: Parameters, wanted: list[tuple[int, Any, Answer]]
    ) -> None:
        self.statements.append((statement, parameters | {"now": self.now}))
        self._wanted.append(wanted)

    def _add_steps(self, found: list[tuple[int, StepWrite]]) -> None:
        wanted = [(at, (step.workflow_id, step.function_id), DONE) for at, step in found]
        match found:
            case [(_, step)]:
                self._add(plain.STEP, step_row(step), wanted)
            case [_, *_]:
                self._add(STEPS, step_parameters([step for _, step in found]), wanted)

    def _add_starts(self, found: list[tuple[int, StartWrite]]) -> None:
        wanted = [(at, write.row.workflow_uuid, created(write)) for at, write in found]
        match found:
            case [(_, start)]:
                self._add(plain.START, plain.start_parameters(start), wanted)
            case [_, *_]:
                self._add(STARTS, row_parameters([write for _, write in found]), wanted)

    def _add_children(self, found: list[tuple[int, StartWrite]]) -> None:
        if found:
            starts = [write for _, write in found]
            steps = [write.parent for write in starts if write.parent]
            wanted = [(at, write.row.workflow_uuid, created(write)) for at, write in found]
            self._add(CHILDREN, row_parameters(starts) | step_parameters(steps), wanted)

    def _add_outcomes(self, found: list[tuple[int, OutcomeWrite]]) -> None:
        wanted = [(at, write.workflow_id, DONE) for at, write in found]
        match found:
            case [(_, outcome)]:
                self._add(plain.OUTCOME, plain.outcome_parameters(outcome), wanted)
            case [_, *_]:
                self._add(OUTCOMES, _outcome_parameters([write for _, write in found]), wanted)


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
    columns = zip(*(_values(each.row) for each in starts), strict=True)
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
