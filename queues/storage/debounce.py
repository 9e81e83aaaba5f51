"""Postpone a debounced workflow that is still delayed, and replace its arguments."""

from __future__ import annotations

from dboshub.queues.engine.ports import Postponement
from dboshub.workflows.storage.fragments import OWN_ROWS
from dboshub.workflows.storage.sql import Session, Statement

POSTPONE = Statement(f"""
    UPDATE {{workflow_status}}
    SET delay_until_epoch_ms = LEAST(:until, COALESCE(debounce_deadline_epoch_ms, :until)),
        serialization = :serialization,
        updated_at = :now
    WHERE queue_name = :queue_name
        AND deduplication_id = :deduplication_id
        AND name = :workflow_name
        AND status = 'DELAYED'
        AND is_debounced
        AND {OWN_ROWS}
    RETURNING workflow_uuid
""")

REPLACE_INPUT = Statement(
    """
    INSERT INTO {workflow_input} (workflow_uuid, inputs, retention_timestamp)
    VALUES (:workflow_id, :inputs, :now)
    ON CONFLICT (workflow_uuid) DO UPDATE SET inputs = excluded.inputs
    """
)


def postpone_debounced(
    session: Session, wanted: Postponement, *, application: str | None, now: int
) -> str | None:
    """Postpone the delayed workflow and return its id; None if there is none."""
    row = session.one(
        POSTPONE,
        queue_name=wanted.queue_name,
        deduplication_id=wanted.deduplication_id,
        workflow_name=wanted.workflow_name,
        until=now + wanted.period_ms,
        serialization=wanted.serialization,
        application=application,
        now=now,
    )
    if row is None:
        return None
    session.run(REPLACE_INPUT, workflow_id=row[0], inputs=wanted.inputs, now=now)
    return str(row[0])
