"""Rows of ``queues`` and of claimed workflows as the engine's values."""

from __future__ import annotations

from collections.abc import Iterable

from dboshub.queues.engine.settings import (
    DEFAULT_POLLING_S,
    SHORTEST_POLLING_S,
    QueueSettings,
    RateLimit,
)
from dboshub.queues.storage.fragments import CLAIM_KEY
from dboshub.workflows.engine.records import ClaimedWorkflow
from dboshub.workflows.storage.fragments import INPUTS
from dboshub.workflows.storage.sql import Row

QUEUE_COLUMNS = """
    name, concurrency, worker_concurrency, rate_limit_max, rate_limit_period_sec,
    partition_concurrency, partition_worker_concurrency,
    partition_rate_limit_max, partition_rate_limit_period_sec,
    polling_interval_sec, application_name
"""

_CLAIMED_FIELDS = (
    "workflow_id",
    "name",
    "owner",
    "inputs",
    "serialization",
    "recovery_attempts",
    "has_history",
    "class_name",
    "config_name",
    "queue_name",
    "partition_key",
    "deadline_ms",
    "parent_id",
    "authenticated_user",
    "authenticated_roles",
    "assumed_role",
    "application_version",
    "application_name",
    "priority",
    "created_at",
    "trace",
    "claim_key",
    "is_read",
)

# Whether a workflow has recorded steps.
HAS_STEPS = """
    EXISTS (
        SELECT 1
        FROM {operation_outputs} AS step
        WHERE step.workflow_uuid = workflow_status.workflow_uuid
    )
"""
# The trace that a workflow belongs to, which is stored among its attributes.
POSTGRES_TRACE = "attributes ->> 'dbos.otelContext'"
SQLITE_TRACE = """
    CASE
        WHEN json_valid(attributes)
        THEN CAST(json_extract(attributes, '$."dbos.otelContext"') AS TEXT)
    END
"""
_WITH_INPUTS = "CAST(:with_inputs AS boolean)"


def claimed_columns(*, has_history: str, trace: str) -> str:
    """The columns of a claimed workflow, in the order of its fields.

    The table has no alias, because RETURNING of SQLite knows none. Without ``:with_inputs`` the
    arguments are not read.
    """
    return f"""
        workflow_status.workflow_uuid, name, owner_xid,
        CASE WHEN {_WITH_INPUTS} THEN {INPUTS} END,
        serialization, recovery_attempts,
        {has_history},
        class_name, config_name, queue_name, queue_partition_key,
        workflow_deadline_epoch_ms, parent_workflow_id,
        authenticated_user, authenticated_roles, assumed_role,
        application_version, application_name, workflow_status.priority, workflow_status.created_at,
        {trace},
        {CLAIM_KEY}, {_WITH_INPUTS}
    """


def queue_settings(row: Row) -> QueueSettings:
    """The settings in a row of QUEUE_COLUMNS.

    Another program may have written an interval that is none: then the default holds.
    """
    return QueueSettings(
        name=row[0],
        concurrency=row[1],
        worker_concurrency=row[2],
        limiter=RateLimit.of_columns(row[3], row[4]),
        partition_concurrency=row[5],
        partition_worker_concurrency=row[6],
        partition_limiter=RateLimit.of_columns(row[7], row[8]),
        polling_interval_sec=float(row[9]) if row[9] >= SHORTEST_POLLING_S else DEFAULT_POLLING_S,
        application_name=row[10],
    )


def claimed_workflows(rows: Iterable[Row]) -> list[ClaimedWorkflow]:
    """Claimed workflows by priority and creation time: RETURNING has no order."""
    found = [
        ClaimedWorkflow(**dict(zip(_CLAIMED_FIELDS, _typed(row), strict=True))) for row in rows
    ]
    return sorted(found, key=lambda each: (each.priority, each.created_at))


def _typed(row: Row) -> Row:
    return (*row[:6], bool(row[6]), *row[7:-1], bool(row[-1]))
