"""Record what an action changes before it does: columns that can be put back, and the queue."""

from __future__ import annotations

from collections.abc import Iterable

from dboshub.workflows.models import BulkJob, Change
from dboshub.workflows.selectors.changes import queues_left
from dboshub.workflows.selectors.rows import WorkflowRow

COLUMNS = (
    "status",
    "queue_name",
    "queue_partition_key",
    "application_version",
    "priority",
    "delay_until_epoch_ms",
    "deduplication_id",
    "workflow_deadline_epoch_ms",
    "started_at_epoch_ms",
    "completed_at",
    "recovery_attempts",
)


def record_changes(rows: Iterable[WorkflowRow], *, at: int, job: BulkJob | None = None) -> None:
    """Record rows that the caller has locked and is about to change, with `at` as `updated_at`.

    If the hub's tables are in another database, this is committed before the change.
    """
    wanted = [*rows]
    left = queues_left(wanted)
    Change.objects.bulk_create(
        [
            Change(
                job=job,
                workflow_id=row.pk,
                at=at,
                was={name: getattr(row, name) for name in COLUMNS},
                queue=left.get(row.pk),
            )
            for row in wanted
        ],
        update_conflicts=True,
        unique_fields=("job", "workflow_id"),
        update_fields=("at", "was", "queue"),
    )
