"""Put off a debounced workflow that still waits, and give it the latest arguments."""

from __future__ import annotations

from dboshub.queues.engine.directory import Bounce
from dboshub.queues.storage.fragments import OURS
from dboshub.workflows.storage.sql import Session, Statement

_BOUNCED = f"""
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
BOUNCE = Statement(postgres=_BOUNCED.format(least="LEAST"), sqlite=_BOUNCED.format(least="MIN"))

REPLACE_INPUT = Statement(
    """
    INSERT INTO {workflow_input} (workflow_uuid, inputs, retention_timestamp)
    VALUES (:workflow_id, :inputs, :now)
    ON CONFLICT (workflow_uuid) DO UPDATE SET inputs = excluded.inputs
    """
)


def bounce(session: Session, asked: Bounce, *, application: str | None, now: int) -> str | None:
    """The id of the workflow that was put off; None if none waits."""
    row = session.one(
        BOUNCE,
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
