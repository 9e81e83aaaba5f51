"""Pausing a queue: while its row is here no claim takes from it, and what runs goes on."""

from __future__ import annotations

from dboshub.workflows.storage.sql import Session, Statement

PAUSE = Statement("""
    INSERT INTO {dboshub_queue_pause} (queue_name, paused_at, paused_by, reason)
    VALUES (:name, :now, :by, :reason)
    ON CONFLICT (queue_name) DO NOTHING
""")
UNPAUSE = Statement("DELETE FROM {dboshub_queue_pause} WHERE queue_name = :name")
PAUSED = Statement("SELECT queue_name FROM {dboshub_queue_pause}")


def pause(session: Session, name: str, *, by: str, reason: str, now: int) -> bool:
    """Hold the queue's work back; False if it was held back already."""
    return session.run(PAUSE, name=name, by=by, reason=reason, now=now) == 1


def unpause(session: Session, name: str) -> bool:
    """Let the queue's work go on; False if it was not paused."""
    return session.run(UNPAUSE, name=name) == 1


def paused(session: Session) -> frozenset[str]:
    """The names of all paused queues."""
    return frozenset(name for (name,) in session.all(PAUSED))
