"""Resume workflows from their first unrecorded step, and read the statuses of many.

A resumed workflow loses its owner token, so an executor that runs it can record nothing more.
"""

from __future__ import annotations

from collections.abc import Iterable

from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.storage.fragments import RESTART, locked_ids
from dboshub.workflows.storage.id_lists import all_by_ids, in_given_order
from dboshub.workflows.storage.sql import Session, Statement

RESUME = Statement(
    f"""
    UPDATE {{workflow_status}}
    SET {RESTART}
    WHERE {locked_ids("status NOT IN ('SUCCESS', 'ERROR')")}
    RETURNING workflow_uuid
    """
)

STATUSES = Statement(
    "SELECT workflow_uuid, status FROM {workflow_status} WHERE workflow_uuid = ANY(:ids)"
)


def resume(
    session: Session, ids: Iterable[str], *, queue: str | None = None, now: int
) -> list[str]:
    """Enqueue all workflows but SUCCESS and ERROR; return those enqueued, in the given order.

    Without `queue` they go to the internal queue.
    """
    wanted = [*ids]
    given = {"queue": queue or INTERNAL_QUEUE, "now": now}
    resumed = {row[0] for row in all_by_ids(session, RESUME, wanted, **given)}
    return in_given_order(wanted, resumed)


def resume_all(session: Session, ids: Iterable[str], *, queue: str | None, now: int) -> list[str]:
    """Resume all workflows or none. Raises KeyError with the first id that does not exist."""
    wanted = [*ids]
    known = statuses(session, wanted)
    for workflow_id in wanted:
        if workflow_id not in known:
            raise KeyError(workflow_id)
    return resume(session, wanted, queue=queue, now=now)


def statuses(session: Session, ids: Iterable[str]) -> dict[str, str]:
    """The status of each workflow that exists, by id."""
    return dict(all_by_ids(session, STATUSES, ids))
