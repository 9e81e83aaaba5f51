"""Pauses of queues: no claim takes workflows from a paused queue; running workflows continue."""

from __future__ import annotations

from dboshub.workflows.storage.sql import Session, Statement

PAUSE = Statement("""
    INSERT INTO {dboshub_queue_pause} (queue_name, paused_at, paused_by, reason)
    VALUES (:name, :now, :by, :reason)
    ON CONFLICT (queue_name) DO NOTHING
""")
UNPAUSE = Statement("DELETE FROM {dboshub_queue_pause} WHERE queue_name = :name")


def pause(session: Session, name: str, *, by: str, reason: str, now: int) -> bool:
    """Pause the queue; return False if it was paused already."""
    return session.run(PAUSE, name=name, by=by, reason=reason, now=now) == 1


def unpause(session: Session, name: str) -> bool:
    """End the pause of the queue; return False if it was not paused."""
    return session.run(UNPAUSE, name=name) == 1
