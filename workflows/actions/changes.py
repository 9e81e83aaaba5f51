"""Record what an action changes before it does: columns that can be put back, and the queue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dboshub.workflows.models import BulkJob, Change
from dboshub.workflows.selectors.changes import queues_left
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.control.restore import COLUMNS


def record_changes(rows: Iterable[WorkflowRow], *, at: int, job: BulkJob | None = None) -> None:
    """Record rows that the caller has locked and is about to change, with `at` as `updated_at`.

    If the hub's tables are in another database, this is committed before the change.
    """
    wanted = [*rows]
    left = queues_left(wanted)
    _save(
        Change(
            job=job,
            workflow_id=row.pk,
            at=at,
            was={name: getattr(row, name) for name in COLUMNS},
            queue=left.get(row.pk),
        )
        for row in wanted
    )


def record_creations(ids: Iterable[str], *, at: int, job: BulkJob) -> None:
    """Record workflows that are about to be created at this time: they had no columns before."""
    _save(Change(job=job, workflow_id=each, at=at, was={}) for each in ids)


def record_queues(queues: Mapping[str, str | None], *, at: int) -> None:
    """Record the queue of workflows that are about to be inserted as cancelled at this time."""
    _save(
        Change(workflow_id=each, at=at, was={}, queue=queue or "") for each, queue in queues.items()
    )


def _save(changes: Iterable[Change]) -> None:
    Change.objects.bulk_create(
        changes,
        update_conflicts=True,
        unique_fields=("job", "workflow_id"),
        update_fields=("at", "was", "queue"),
    )
