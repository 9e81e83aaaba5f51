"""The registered queues: their names, and whether one is partitioned."""

from __future__ import annotations

from dboshub.workflows.storage.sql import Session, Statement

MAX_QUEUES = 1_000

IS_PARTITIONED = Statement("SELECT partition_queue FROM {queues} WHERE name = :name")
NAMES = Statement("SELECT name FROM {queues} ORDER BY name LIMIT :most")


def is_partitioned(session: Session, name: str) -> bool | None:
    """Whether a registered queue is partitioned; None if there is no such queue."""
    row = session.one(IS_PARTITIONED, name=name)
    return None if row is None else bool(row[0])


def queue_names(session: Session) -> tuple[str, ...]:
    """The names of at most MAX_QUEUES registered queues, in order."""
    return tuple(name for (name,) in session.all(NAMES, most=MAX_QUEUES))
