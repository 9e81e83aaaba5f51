"""The items of one chunk of a bulk job, as its verb acts on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dboshub.workflows.actions.changes import record_changes, record_creations
from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.models import BulkItem, BulkJob
from dboshub.workflows.selectors.changes import queues_left
from dboshub.workflows.selectors.rows import WorkflowRow, rows_by_id
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.storage.control import cancel as cancelling
from dboshub.workflows.storage.control import delete as deleting
from dboshub.workflows.storage.sql import Session

OWN_QUEUE = "own"
# The option `unknown` of a job onto the queue each came from: what becomes of the others.
AT_ONCE = "now"
NOT_KNOWN = "nothing says which queue it came from"
# The same in the plan of a job.
UNKNOWN = "from an unknown queue"
FORKED = "forked already"
HIDDEN = "deleted, or not visible to you"


@dataclass(slots=True)
class Batch:
    """Items whose workflows exist, are locked, and have the expected status."""

    job: BulkJob
    session: Session
    viewer: Viewer
    partitioned: bool
    now: int
    items: dict[str, BulkItem]
    rows: dict[str, WorkflowRow]
    notices: list[tuple[str, str]] = field(default_factory=list)

    @property
    def options(self) -> Mapping[str, Any]:
        found: dict[str, Any] = self.job.options
        return found

    def record(self, ids: Iterable[str]) -> None:
        """Record rows before they are changed, so that the job can be undone."""
        record_changes((self.rows[each] for each in ids), at=self.now, job=self.job)

    def record_creations(self, ids: Iterable[str]) -> None:
        """The same for workflows before they are created."""
        record_creations(ids, at=self.now, job=self.job)

    def done(self, workflow_id: str, note: str = "") -> None:
        self._end(workflow_id, BulkItem.State.DONE, note)

    def skip(self, workflow_id: str, why: str) -> None:
        self._end(workflow_id, BulkItem.State.SKIPPED, why)

    def queues(self) -> dict[str, str]:
        """The queue for each workflow: the one chosen for all, or the one that it came from.

        Skips those that cannot run on it: a partitioned queue needs a partition key.
        """
        chosen = str(self.options.get("queue") or "")
        if chosen == OWN_QUEUE:
            return self._own_queues()
        for workflow_id in [*self.items] if self.partitioned else []:
            if self.rows[workflow_id].queue_partition_key is None:
                self.skip(workflow_id, "The queue is partitioned and it has no partition key.")
        return dict.fromkeys(self.items, chosen or INTERNAL_QUEUE)

    def _own_queues(self) -> dict[str, str]:
        left = queues_left(self.rows[each] for each in self.items)
        for workflow_id in [*self.items]:
            if workflow_id not in left and self.options.get("unknown") != AT_ONCE:
                self.skip(workflow_id, NOT_KNOWN)
        return {each: left.get(each) or INTERNAL_QUEUE for each in self.items}

    def with_descendants(self) -> dict[str, list[str]]:
        """Each id with its descendants, if children are included; skips ids with hidden ones."""
        found: dict[str, list[str]] = {}
        for workflow_id in [*self.items]:
            below: list[str] = []
            if self.options.get("children"):
                below = cancelling.descendants(self.session, [workflow_id])
                # Lock before reading: what is recorded of them is what is changed.
                self.session.all(deleting.LOCK, ids=self.session.ids(sorted(below)))
                rows = rows_by_id(self.session, below, viewer=self.viewer)
                if len(rows) < len(below):
                    self.skip(workflow_id, "Some of its children are not visible to you.")
                    continue
                self.rows |= rows
            found[workflow_id] = below
        return found

    def _end(self, workflow_id: str, state: BulkItem.State, note: str) -> None:
        item = self.items.pop(workflow_id)
        item.state, item.note = state, note
