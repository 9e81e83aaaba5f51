"""What the hub remembers of workflows that it changed: the queue that each came from.

Cancelling clears the queue in a workflow's row, whoever does it. What the hub cancelled it
remembers; of what a program cancelled, or its deadline, nothing says where it came from.
"""

from __future__ import annotations

from collections.abc import Iterable

from dboshub.workflows.models import Change
from dboshub.workflows.selectors.rows import WorkflowRow

# What takes the queue from a row. Any other row says itself where it is or was.
LEFT_QUEUE = ("CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


def queues_left(rows: Iterable[WorkflowRow]) -> dict[str, str]:
    """The queue that each workflow is on or came from, empty for none; without the unknown."""
    found: dict[str, str] = {}
    ended: dict[str, int | None] = {}
    for row in rows:
        if row.queue_name is None and row.status in LEFT_QUEUE:
            ended[row.pk] = row.completed_at
        else:
            found[row.pk] = row.queue_name or ""
    if not ended:
        return found
    known = Change.objects.filter(workflow_id__in=[*ended])
    for workflow_id, at, queue in known.values_list("workflow_id", "at", "queue"):
        # With another time it was resumed since, and then cancelled by somebody else.
        if queue is not None and ended[workflow_id] == at:
            found[workflow_id] = queue
    return found
