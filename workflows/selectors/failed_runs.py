"""Failed workflows with the error and the last step by which pages group them.

The error is payload: it is read only with permission, and cut at MAX_ERROR_LENGTH.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.sql import Session, Statement

# An error begins with its class and message; its traceback follows.
MAX_ERROR_LENGTH = 24_000

_LAST = """(
    SELECT step.function_name FROM {operation_outputs} AS step
    WHERE step.workflow_uuid = found.workflow_uuid
    ORDER BY step.function_id DESC
    LIMIT 1
)"""
_STEPS = f"SELECT found.workflow_uuid, {_LAST}, NULL FROM {{workflow_status}} AS found"
_ERRORS = f"""
    SELECT found.workflow_uuid, {_LAST}, SUBSTR(COALESCE(ended.error, found.error), 1, :longest)
    FROM {{workflow_status}} AS found
    LEFT JOIN {{workflow_output}} AS ended ON ended.workflow_uuid = found.workflow_uuid
"""


def _among(sql: str) -> Statement:
    return Statement(f"{sql} WHERE found.workflow_uuid = ANY(:ids)")


STEPS, ERRORS = _among(_STEPS), _among(_ERRORS)


@dataclass(frozen=True, slots=True)
class FailedRun:
    """`error` is the stored text; None if there is none or it may not be seen."""

    row: WorkflowRow
    step: str | None
    error: str | None


def failed_runs(session: Session, rows: Sequence[WorkflowRow], *, payload: bool) -> list[FailedRun]:
    """The rows in their order with error and step, in one statement; deleted ones are left out."""
    ids = session.ids(row.pk for row in rows)
    if payload:
        records = session.all(ERRORS, ids=ids, longest=MAX_ERROR_LENGTH)
    else:
        records = session.all(STEPS, ids=ids)
    known = {workflow_id: (step, error) for workflow_id, step, error in records}
    return [FailedRun(row, *known[row.pk]) for row in rows if row.pk in known]
