"""Every queue that holds work and how it stands, to be sampled: nobody can count it later."""

from __future__ import annotations

from collections.abc import Iterator

from dboshub.queues.selectors.depths import Depth, depths, oldest
from dboshub.workflows.selectors.scope import EVERYTHING, Viewer
from dboshub.workflows.storage.sql import Session, Statement

MOST = 200

# Each step of the recursion is one look into the index of what is in flight.
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
    """The first MOST queues by name that hold work in flight."""
    return [name for (name,) in session.all(BUSY, most=MOST)]


def busy_depths(session: Session, now: int) -> Iterator[tuple[str, Depth]]:
    """How each busy queue stands."""
    yield from depths(session, busy(session), EVERYTHING, now=now, rated=False).items()


def waiting_since(session: Session, viewer: Viewer) -> dict[str, int]:
    """When the oldest enqueued workflow of each busy queue was made, as the viewer may know."""
    found = oldest(session, busy(session), viewer)
    return {name: at for name, (at, _) in found.items() if at is not None}
