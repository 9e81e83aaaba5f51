"""What a workflow that does not exist yet would lack, as the next run of a schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dboshub.queues.why_not.answer import blockers_of, reason_of
from dboshub.queues.why_not.reading import Queues, latest_versions, read_queues, standing_of
from dboshub.workflows.rendering.reason import Reason
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.sql import Session


def reasons_of_next(session: Session, rows: Sequence[WorkflowRow], now: int) -> dict[str, Reason]:
    """What each of these would lack, by its id, if it were enqueued now for the latest version.

    Limits and places in line are of another time, so they are left out. At most seven statements.
    """
    queues = read_queues(session, {row.queue_name for row in rows}, now)
    applications = {each.application for each in queues.executors or ()}
    latest = latest_versions(session, applications | {row.application_name for row in rows})
    return {row.pk: _reason(row, queues, latest, now) for row in rows}


def _reason(
    row: WorkflowRow, queues: Queues, latest: Mapping[str | None, str | None], now: int
) -> Reason:
    admitted = frozenset(
        (each.application, each.version)
        for each in queues.executors or ()
        if latest.get(each.application) in (None, each.version)
    )
    standing = standing_of(row, queues, admitted)
    if standing.version is None:
        standing = replace(standing, version=latest.get(standing.application))
    return reason_of(row, blockers_of(standing, now))
