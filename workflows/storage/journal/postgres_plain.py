"""Apply a single write, with plain parameters. PostgreSQL only.

They cost the server less than half of what a JSON parameter does (`postgres_batch`). What is
locked is skipped, and a write that its statement does not return was refused, locked or repeated,
as there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dboshub.workflows.engine.journal.writes import OutcomeWrite, StartWrite
from dboshub.workflows.storage.fragments import is_still
from dboshub.workflows.storage.journal.insert_workflow import COLUMNS, NAMES, VALUES, values_of
from dboshub.workflows.storage.journal.step_columns import STEP_COLUMNS, STEP_PARAMETERS, step_row
from dboshub.workflows.storage.sql import Statement

Parameters = dict[str, Any]

STEP = Statement(
    f"""
    INSERT INTO {{operation_outputs}} ({STEP_COLUMNS})
    SELECT {STEP_PARAMETERS}
    FROM {{workflow_status}}
    WHERE workflow_uuid = :workflow_id AND owner_xid = :owner
    FOR NO KEY UPDATE SKIP LOCKED
    ON CONFLICT (workflow_uuid, function_id) DO NOTHING
    RETURNING 'step', workflow_uuid, function_id
    """
)


def _start(on_conflict: str) -> Statement:
    return Statement(
        f"""
        WITH created AS (
            INSERT INTO {{workflow_status}} ({NAMES})
            VALUES ({VALUES})
            {on_conflict}
            RETURNING workflow_uuid
        )
        INSERT INTO {{workflow_input}} (workflow_uuid, inputs, retention_timestamp)
        SELECT workflow_uuid, :inputs, :now FROM created
        {on_conflict}
        RETURNING 'start', workflow_uuid, 0
        """
    )


# An id that the engine drew is known to nobody else. That only a repetition finds it is worth an
# error: each row takes a tenth longer to insert where the server must be ready for a conflict.
START = _start("")
START_CHOSEN = _start("ON CONFLICT DO NOTHING")

OUTCOME = Statement(
    f"""
    WITH ended AS (
        UPDATE {{workflow_status}}
        SET status = :status,
            deduplication_id = NULL,
            owner_xid = NULL,
            updated_at = :ended_at,
            completed_at = :ended_at
        WHERE workflow_uuid = (
            SELECT workflow_uuid
            FROM {{workflow_status}}
            WHERE workflow_uuid = :workflow_id
                AND owner_xid = :owner
                AND {is_still("PENDING")}
            FOR NO KEY UPDATE SKIP LOCKED
        )
        RETURNING workflow_uuid
    )
    INSERT INTO {{workflow_output}} (workflow_uuid, output, error, retention_timestamp)
    SELECT workflow_uuid, :output, :error, :ended_at FROM ended
    ON CONFLICT (workflow_uuid) DO UPDATE
    SET output = excluded.output,
        error = excluded.error,
        retention_timestamp = excluded.retention_timestamp
    RETURNING 'outcome', workflow_uuid, 0
    """
)


def start_parameters(write: StartWrite) -> Parameters:
    return dict(zip(COLUMNS, values_of(write.row), strict=True), inputs=write.inputs)


def outcome_parameters(write: OutcomeWrite) -> Parameters:
    return {
        "workflow_id": write.workflow_id,
        "owner": write.owner,
        "status": write.status,
        "output": write.output,
        "error": write.error,
        "ended_at": write.now,
    }


STATEMENTS = {"start": START, "step": STEP, "outcome": OUTCOME}
PARAMETERS: dict[str, Callable[[Any], Parameters]] = {
    "start": start_parameters,
    "step": step_row,
    "outcome": outcome_parameters,
}
