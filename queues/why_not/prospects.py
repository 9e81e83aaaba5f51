"""What a workflow that does not exist yet would lack, as the next run of a schedule."""

from __future__ import annotations

from collections.abc import Sequence

from dboshub.queues.why_not.answer import blockers_of, reason_of
from dboshub.queues.why_not.reading import Queues, read_queues, standing_of
from dboshub.workflows.rendering.reason import Reason
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.sql import Session


def reasons_of_next(session: Session, rows: Sequence[WorkflowRow], now: int) -> dict[str, Reason]:
    """What each of these would lack, by its id, if it were enqueued now with this version.

    Limits and places in line are of another time, so they are left out.
    """
    queues = read_queues(session, {row.queue_name for row in rows}, now)
    return {row.pk: _reason(row, queues, now) for row in rows}


def _reason(row: WorkflowRow, queues: Queues, now: int) -> Reason:
    admitted = frozenset(
        (each.application, each.version)
        for each in queues.executors or ()
        if row.application_version in (None, each.version)
    )
    return reason_of(row, blockers_of(standing_of(row, queues, admitted), now))
