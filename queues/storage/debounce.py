"""Put off a debounced workflow that still waits, and give it the latest arguments."""

from __future__ import annotations

from dboshub.queues.engine.queue_registry import Postponement
from dboshub.queues.storage.fragments import OURS
from dboshub.workflows.storage.sql import Session, Statement

_POSTPONE = f"""
    UPDATE {{{{workflow_status}}}}
    SET delay_until_epoch_ms = {{least}}(
            :until, COALESCE(debounce_deadline_epoch_ms, :until)
        ),
        serialization = :serialization,
        updated_at = :now
    WHERE queue_name = :queue_name
        AND deduplication_id = :deduplication_id
        AND name = :workflow_name
        AND status = 'DELAYED'
        AND is_debounced
        AND {OURS}
    RETURNING workflow_uuid
"""
POSTPONE = Statement(postgres=_POSTPONE.format(least="LEAST"), sqlite=_POSTPONE.format(least="MIN"))

REPLACE_INPUT = Statement(
    """
    INSERT INTO {workflow_input} (workflow_uuid, inputs, retention_timestamp)
    VALUES (:workflow_id, :inputs, :now)
    ON CONFLICT (workflow_uuid) DO UPDATE SET inputs = excluded.inputs
    """
)


def postpone_debounced(
    session: Session, asked: Postponement, *, application: str | None, now: int
) -> str | None:
    """The id of the workflow that was put off; None if none waits."""
    row = session.one(
        POSTPONE,
        queue_name=asked.queue_name,
        deduplication_id=asked.deduplication_id,
        workflow_name=asked.workflow_name,
        until=now + asked.period_ms,
        serialization=asked.serialization,
        application=application,
        now=now,
    )
    if row is None:
        return None
    session.run(REPLACE_INPUT, workflow_id=row[0], inputs=asked.inputs, now=now)
    return str(row[0])
