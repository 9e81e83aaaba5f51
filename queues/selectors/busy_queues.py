"""Queues with workflows in flight and their depths, for sampling."""

from __future__ import annotations

from collections.abc import Iterator

from dboshub.queues.selectors.depths import Depth, depths, oldest
from dboshub.workflows.selectors.scope import EVERYTHING, Viewer
from dboshub.workflows.storage.sql import Session, Statement

MAX_QUEUES = 200

# Each step of the recursion is one search in the index of workflows in flight.
BUSY = Statement("""
    WITH RECURSIVE busy (name, place) AS (
        SELECT (
            SELECT MIN(queue_name) FROM {workflow_status}
            WHERE status IN ('ENQUEUED', 'PENDING') AND queue_name IS NOT NULL
        ), 1
        UNION ALL
        SELECT (
            SELECT MIN(queue_name) FROM {workflow_status}
            WHERE queue_name > busy.name AND status IN ('ENQUEUED', 'PENDING')
        ), place + 1
        FROM busy
        WHERE name IS NOT NULL AND place < :most
    )
    SELECT name FROM busy WHERE name IS NOT NULL
""")


def busy(session: Session) -> list[str]:
    """The first MAX_QUEUES queues by name with workflows in flight."""
    return [name for (name,) in session.all(BUSY, most=MAX_QUEUES)]


def busy_depths(session: Session, now: int) -> Iterator[tuple[str, Depth]]:
    """The depth of each of these queues. `now` is in epoch milliseconds."""
    yield from depths(session, busy(session), EVERYTHING, now=now, rated=False).items()


def waiting_since(session: Session, viewer: Viewer) -> dict[str, int]:
    """The creation time of the oldest enqueued workflow of each queue, in the viewer's scope."""
    found = oldest(session, busy(session), viewer)
    return {name: at for name, (at, _) in found.items() if at is not None}
