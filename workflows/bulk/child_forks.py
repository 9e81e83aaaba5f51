"""Forks of failed children: a parent that is forked alone would await the failed ones again."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.selectors.rows import COLUMNS, WorkflowRow, from_record
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.storage.control.fork import Fork
from dboshub.workflows.storage.control.fork_points import fork_points
from dboshub.workflows.storage.sql import Session, Statement

MAX_LEVELS = 3
# Children of all parents of a level that are looked at.
MAX_CHILDREN = 2_000

# No index serves failed children.
FAILED_CHILDREN = Statement(
    f"""
    SELECT {COLUMNS} FROM (
        SELECT {COLUMNS} FROM {{workflow_status}}
        WHERE parent_workflow_id = ANY(:ids) LIMIT :most
    ) AS first
    WHERE status IN ('ERROR', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED')
    """
)
FAILED_WAITS = Statement(
    """
    SELECT workflow_uuid, function_id FROM {operation_outputs}
    WHERE workflow_uuid = ANY(:ids) AND function_name = 'DBOS.getResult' AND error IS NOT NULL
    """
)


def forks_of_failed_children(
    session: Session, viewer: Viewer, forks: Sequence[Fork]
) -> tuple[list[Fork], dict[str, str]]:
    """Forks of the failed children of those sources that are forked from the wait for a child.

    Each goes on its own queue from its own failed step. Also the ids of these children, with those
    of their forks, which the forked parents are to await.
    """
    found: list[Fork] = []
    level = [*forks]
    for _ in range(MAX_LEVELS):
        level = _below(session, viewer, level)
        if not level:
            break
        found += level
    return found, {each.source: each.new_id for each in found}


def _below(session: Session, viewer: Viewer, forks: Sequence[Fork]) -> list[Fork]:
    ids = session.ids(each.source for each in forks)
    waits = {(workflow_id, step) for workflow_id, step in session.all(FAILED_WAITS, ids=ids)}
    waiting = {each.source: each for each in forks if (each.source, each.start_step) in waits}
    if not waiting:
        return []
    records = session.all(FAILED_CHILDREN, ids=session.ids(waiting), most=MAX_CHILDREN)
    rows = [row for row in map(from_record, records) if viewer.may_see(row.application_name)]
    points = fork_points(session, [row.pk for row in rows])
    return [
        Fork(
            row.pk,
            _id_of(waiting[row.parent_workflow_id or ""], row),
            points[row.pk].start(step=None, name=None, from_last=False) or 1,
            row.queue_name or INTERNAL_QUEUE,
            row.queue_partition_key,
        )
        for row in rows
    ]


def _id_of(parent: Fork, child: WorkflowRow) -> str:
    """The same whenever the parent's fork is tried again."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{parent.new_id}/{child.pk}"))
