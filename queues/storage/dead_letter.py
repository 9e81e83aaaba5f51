"""Giving up on a workflow that was started too often: only its present owner may say so."""

from __future__ import annotations

from workflows.storage.sql import Session, Statement

DEAD_LETTER = Statement("""
    UPDATE {workflow_status}
    SET status = 'MAX_RECOVERY_ATTEMPTS_EXCEEDED',
        queue_name = NULL,
        deduplication_id = NULL,
        started_at_epoch_ms = NULL,
        owner_xid = NULL,
        updated_at = :now,
        completed_at = :now
    WHERE workflow_uuid = :id AND status = 'PENDING' AND owner_xid = :owner
""")


def dead_letter(session: Session, workflow_id: str, owner: str, *, now: int) -> bool:
    """Take the workflow out of circulation; False if `owner` no longer owns it."""
    return session.run(DEAD_LETTER, id=workflow_id, owner=owner, now=now) == 1
