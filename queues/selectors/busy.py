"""Every queue that holds work and how it stands, to be sampled: nobody can count it later."""

from __future__ import annotations

from collections.abc import Iterator

from queues.selectors.depths import Depth, depths
from workflows.selectors.scope import EVERYTHING
from workflows.storage.sql import Session, Statement

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


def busy(session: Session, now: int) -> Iterator[tuple[str, Depth]]:
    """The first MOST queues by name with work in flight, and their depths."""
    names = [name for (name,) in session.all(BUSY, most=MOST)]
    yield from depths(session, names, EVERYTHING, now=now, rated=False).items()
