"""The registered queues: their names, and whether one is partitioned."""

from __future__ import annotations

from dboshub.workflows.selectors.scope import Viewer, all_in_scope
from dboshub.workflows.storage.sql import Session

MAX_QUEUES = 1_000

IS_PARTITIONED = "SELECT partition_queue FROM {queues} WHERE name = :name AND SCOPE"
NAMES = "SELECT name FROM {queues} WHERE SCOPE ORDER BY name LIMIT :most"


def is_partitioned(session: Session, name: str, viewer: Viewer) -> bool | None:
    """Whether a registered queue is partitioned; None if the viewer sees no such queue."""
    rows = all_in_scope(session, IS_PARTITIONED, viewer, name=name)
    return bool(rows[0][0]) if rows else None


def queue_names(session: Session, viewer: Viewer) -> tuple[str, ...]:
    """The names of at most MAX_QUEUES registered queues that the viewer sees, in order."""
    return tuple(name for (name,) in all_in_scope(session, NAMES, viewer, most=MAX_QUEUES))
