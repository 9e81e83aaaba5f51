"""Whole groups of writes in one statement per kind. PostgreSQL only.

Every statement fences itself: it locks the owners' rows with SKIP LOCKED, so it never waits for
somebody else's transaction, and writes only for rows it locked. A write that is not in the
answer was refused, locked or repeated: the side lane finds out which, alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from workflows.engine.records import NewWorkflow, Started
from workflows.engine.writes import (
    DONE,
    LOCKED,
    Answer,
    OutcomeWrite,
    StartWrite,
    StepWrite,
    Verdict,
    Write,
)
from workflows.storage.sql import Statement
from workflows.storage.start import COLUMNS

_STEP_COLUMNS = (
    "workflow_uuid, function_id, function_name, output, error, child_workflow_id,"
    " started_at_epoch_ms, completed_at_epoch_ms, serialization, application_name,"
    " retention_timestamp"
)
_GIVEN_STEPS = """
    SELECT *
    FROM unnest(
        CAST(:ids AS text[]), CAST(:owners AS text[]), CAST(:functions AS int[]),
        CAST(:names AS text[]), CAST(:outputs AS text[]), CAST(:errors AS text[]),
        CAST(:children AS text[]), CAST(:started AS bigint[]), CAST(:completed AS bigint[]),
        CAST(:formats AS text[]), CAST(:applications AS text[])
    ) AS g (
        id, owner, function_id, name, output, error, child_id, started_at, completed_at,
        serialization, application_name
    )
"""
_FENCE = """
    SELECT workflow_uuid, owner_xid, status
    FROM {workflow_status}
    WHERE workflow_uuid = ANY(:ids)
    ORDER BY workflow_uuid
    FOR NO KEY UPDATE SKIP LOCKED
"""

STEPS = Statement(
    f"""
    WITH given AS MATERIALIZED ({_GIVEN_STEPS}),
    fence AS MATERIALIZED ({_FENCE})
    INSERT INTO {{operation_outputs}} ({_STEP_COLUMNS})
    SELECT
        given.id, given.function_id, given.name, given.output, given.error, given.child_id,
        given.started_at, given.completed_at, given.serialization, given.application_name, :now
    FROM given
    JOIN fence ON fence.workflow_uuid = given.id AND fence.owner_xid = given.owner
    ON CONFLICT (workflow_uuid, function_id) DO NOTHING
    RETURNING workflow_uuid, function_id
    """
)

_NAMES = ", ".join(COLUMNS)
_INSERT_ROWS = f"""
    created AS (
        INSERT INTO {{workflow_status}} ({_NAMES})
        SELECT {_NAMES} FROM admitted
        ON CONFLICT DO NOTHING
        RETURNING workflow_uuid
    ),
    stored AS (
        INSERT INTO {{workflow_input}} (workflow_uuid, inputs, retention_timestamp)
        SELECT created.workflow_uuid, input.inputs, :now
        FROM created
        JOIN unnest(CAST(:new_ids AS text[]), CAST(:inputs AS text[])) AS input (id, inputs)
            ON input.id = created.workflow_uuid
        ON CONFLICT (workflow_uuid) DO NOTHING
    )
"""
_GIVEN_ROWS = "SELECT * FROM json_populate_recordset(NULL::{workflow_status}, :rows)"

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
        JOIN fence ON fence.workflow_uuid = given.id AND fence.owner_xid = given.owner
    ),
    {_INSERT_ROWS}
    INSERT INTO {{operation_outputs}} ({_STEP_COLUMNS})
    SELECT
        given.id, given.function_id, given.name, given.output, given.error, given.child_id,
        given.started_at, given.completed_at, given.serialization, given.application_name, :now
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
        FROM unnest(
            CAST(:ids AS text[]), CAST(:owners AS text[]), CAST(:statuses AS text[]),
            CAST(:outputs AS text[]), CAST(:errors AS text[]), CAST(:times AS bigint[])
        ) AS g (id, owner, status, output, error, ended_at)
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
        JOIN fence ON fence.workflow_uuid = given.id
            AND fence.owner_xid = given.owner
            AND fence.status = 'PENDING'
        WHERE s.workflow_uuid = given.id
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


class Batch:
    """The statements of one group, in the fixed order, and how to read their answers."""

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
        """What became of each write, in the order they were given."""
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
        if found:
            wanted = [(at, (step.workflow_id, step.function_id), DONE) for at, step in found]
            self._add(STEPS, _step_parameters([step for _, step in found]), wanted)

    def _add_starts(self, found: list[tuple[int, StartWrite]]) -> None:
        if found:
            wanted = [(at, write.row.workflow_uuid, _created(write)) for at, write in found]
            self._add(STARTS, _row_parameters([write for _, write in found]), wanted)

    def _add_children(self, found: list[tuple[int, StartWrite]]) -> None:
        if found:
            starts = [write for _, write in found]
            steps = [write.parent for write in starts if write.parent]
            wanted = [(at, write.row.workflow_uuid, _created(write)) for at, write in found]
            self._add(CHILDREN, _row_parameters(starts) | _step_parameters(steps), wanted)

    def _add_outcomes(self, found: list[tuple[int, OutcomeWrite]]) -> None:
        if found:
            wanted = [(at, write.workflow_id, DONE) for at, write in found]
            self._add(OUTCOMES, _outcome_parameters([write for _, write in found]), wanted)


def _created(write: StartWrite) -> Answer:
    row = write.row
    started = Started(created=True, status=row.status, serialization=row.serialization)
    return Answer(Verdict.DONE, started)


def _step_parameters(steps: Sequence[StepWrite]) -> Parameters:
    return {
        "ids": [step.workflow_id for step in steps],
        "owners": [step.owner for step in steps],
        "functions": [step.function_id for step in steps],
        "names": [step.name for step in steps],
        "outputs": [step.output for step in steps],
        "errors": [step.error for step in steps],
        "children": [step.child_id for step in steps],
        "started": [step.started_at for step in steps],
        "completed": [step.completed_at for step in steps],
        "formats": [step.serialization for step in steps],
        "applications": [step.application_name for step in steps],
    }


def _row_parameters(starts: Sequence[StartWrite]) -> Parameters:
    return {
        "rows": json.dumps([_record(write.row) for write in starts]),
        "new_ids": [write.row.workflow_uuid for write in starts],
        "inputs": [write.inputs for write in starts],
    }


def _record(row: NewWorkflow) -> dict[str, object]:
    record = asdict(row)
    if row.attributes is not None:
        record["attributes"] = json.loads(row.attributes)
    return record


def _outcome_parameters(outcomes: Sequence[OutcomeWrite]) -> Parameters:
    return {
        "ids": [write.workflow_id for write in outcomes],
        "owners": [write.owner for write in outcomes],
        "statuses": [write.status for write in outcomes],
        "outputs": [write.output for write in outcomes],
        "errors": [write.error for write in outcomes],
        "times": [write.now for write in outcomes],
    }
