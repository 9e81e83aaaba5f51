"""The pauses of queues; only databases that our workers use have a table of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dboshub.workflows.selectors.tables import QUEUE_PAUSES, has_table
from dboshub.workflows.storage.sql import Session, Statement

PAUSES = Statement("""
    SELECT queue_name, paused_at, paused_by, reason
    FROM {dboshub_queue_pause}
    WHERE queue_name = ANY(:names)
""")


@dataclass(frozen=True, slots=True)
class Pause:
    at: int
    by: str
    reason: str


def pauses(session: Session, names: Iterable[str]) -> dict[str, Pause]:
    """The pauses of those of these queues that are paused, by name."""
    if not has_table(session, QUEUE_PAUSES):
        return {}
    return {
        name: Pause(at, by or "", reason or "")
        for name, at, by, reason in session.all(PAUSES, names=session.ids(names))
    }
