"""The verbs of bulk jobs: the action on the workflows of one chunk, in its transaction.

A verb ends each item of its batch as done, or as skipped with a reason. If it raises, the batch
fails and its items are tried one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dboshub.workflows.actions.changes import record_changes
from dboshub.workflows.engine.records import ACTIVE, INTERNAL_QUEUE
from dboshub.workflows.engine.waiting.notices import QUEUE, STATUS
from dboshub.workflows.models import BulkItem, BulkJob
from dboshub.workflows.permissions import (
    CANCEL_WORKFLOW,
    DELETE_WORKFLOW,
    FORK_WORKFLOW,
    RESUME_WORKFLOW,
)
from dboshub.workflows.selectors.changes import queues_left
from dboshub.workflows.selectors.rows import WorkflowRow, rows_by_id
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.statuses import FAILED, IN_FLIGHT, STATUSES
from dboshub.workflows.storage.control import cancel as cancelling
from dboshub.workflows.storage.control import delete as deleting
from dboshub.workflows.storage.control import fork as forking
from dboshub.workflows.storage.control import resume as resuming
from dboshub.workflows.storage.control.fork_points import fork_points
from dboshub.workflows.storage.sql import Session

OWN_QUEUE = "own"
# The option `unknown` of a job onto the queue each came from: what becomes of the others.
AT_ONCE = "now"
NOT_KNOWN = "nothing says which queue it came from"


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


@dataclass(frozen=True, slots=True)
class Verb:
    """`takes` are the statuses that it applies to; `refusals` say why others are left out."""

    name: str
    title: str
    permission: str
    action: str
    takes: tuple[str, ...]
    refusals: Mapping[str, str]
    consequence: str
    perform: Callable[[Batch], None]
    is_danger: bool = False
    # Whether it also applies to a workflow whose status changed to another one of `takes`.
    follows: bool = False
    makes: bool = False
    # What it would do to each row, if that differs among them; what the numbers are called.
    foresee: Callable[[Sequence[WorkflowRow]], dict[str, str]] = lambda rows: {}
    plan_title: str = ""

    def fits(self, was: str, status: str) -> bool:
        return status == was or (self.follows and status in self.takes)


def _cancel(batch: Batch) -> None:
    below = batch.with_descendants()
    also = dict.fromkeys(each for ids in below.values() for each in ids if each not in below)
    wanted = [*below, *(each for each in also if batch.rows[each].status in ACTIVE)]
    batch.record(wanted)
    cancelled = set(cancelling.cancel(batch.session, wanted, now=batch.now))
    batch.notices += [(STATUS, each) for each in cancelled]
    for workflow_id, ids in below.items():
        count = len(cancelled.intersection(ids))
        batch.done(workflow_id, f"with {count:,} descendants" if count else "")


def _resume(batch: Batch) -> None:
    by_queue: dict[str, list[str]] = {}
    for workflow_id, queue in batch.queues().items():
        by_queue.setdefault(queue, []).append(workflow_id)
    batch.record(batch.items)
    for queue, ids in by_queue.items():
        for workflow_id in resuming.resume(batch.session, ids, queue=queue, now=batch.now):
            batch.notices.append((STATUS, workflow_id))
            batch.done(workflow_id, _onto(queue))
        batch.notices.append((QUEUE, queue))


def _fork(batch: Batch) -> None:
    queues, options = batch.queues(), batch.options
    how = options.get("start")
    name = options["name"] if how == "name" else None
    step = options["step"] if how == "number" else None
    points = fork_points(batch.session, queues, name=name or "")
    wanted: list[forking.Fork] = []
    for workflow_id, queue in queues.items():
        start = points[workflow_id].start(step=step, name=name, from_last=how == "last")
        if start is None:
            batch.skip(workflow_id, f"It recorded no step {name!r}.")
            continue
        key = batch.rows[workflow_id].queue_partition_key
        wanted.append(forking.Fork(workflow_id, batch.items[workflow_id].made, start, queue, key))
        batch.notices.append((QUEUE, queue))
        batch.done(workflow_id, f"from step {start} {_onto(queue)}")
    forking.fork_many(batch.session, wanted, now=batch.now)


def _delete(batch: Batch) -> None:
    below = batch.with_descendants()
    ids = [*below, *(each for found in below.values() for each in found)]
    # Lock before reading: otherwise one could be resumed between the two.
    batch.session.all(deleting.LOCK, ids=batch.session.ids(sorted(ids)))
    rows = rows_by_id(batch.session, ids, viewer=batch.viewer)
    active = {each for each, row in rows.items() if row.status in ACTIVE}
    for workflow_id in [each for each, found in below.items() if active.intersection(found)]:
        del below[workflow_id]
        batch.skip(workflow_id, "A descendant of it is still active.")
    doomed = [*below, *(each for found in below.values() for each in found)]
    deleting.delete(batch.session, doomed)
    batch.notices += [(STATUS, each) for each in doomed]
    for workflow_id, found in below.items():
        batch.done(workflow_id, f"with {len(found):,} descendants" if found else "")


def _back(rows: Sequence[WorkflowRow]) -> dict[str, str]:
    """Where each goes if it goes to the queue that it came from."""
    left = queues_left(rows)
    return {row.pk: _to(left[row.pk]) if row.pk in left else NOT_KNOWN for row in rows}


def _to(queue: str) -> str:
    return f"back onto {queue}" if queue and queue != INTERNAL_QUEUE else "was on no queue"


def _onto(queue: str) -> str:
    return "past every limit" if queue == INTERNAL_QUEUE else f"onto {queue}"


REFUSED_ENDED = dict.fromkeys(("SUCCESS", "ERROR"), "ended already")
NOT_FAILED = {"SUCCESS": "succeeded", **dict.fromkeys(IN_FLIGHT, "not ended yet")}
VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(
            name="cancel",
            title="Cancel",
            permission=CANCEL_WORKFLOW,
            action="cancel",
            takes=IN_FLIGHT,
            refusals=dict.fromkeys(("SUCCESS", *FAILED), "ended already"),
            consequence="Each stops at its next step, or where it waits.",
            perform=_cancel,
            is_danger=True,
            follows=True,
        ),
        Verb(
            name="resume",
            title="Resume",
            permission=RESUME_WORKFLOW,
            action="resume",
            takes=("ENQUEUED", "DELAYED", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"),
            refusals=REFUSED_ENDED | {"PENDING": "running: resume it on its own page"},
            consequence="Each is enqueued again and goes on after its last completed step.",
            perform=_resume,
            foresee=_back,
            plan_title="Own queue",
        ),
        Verb(
            name="fork_from_failure",
            title="Fork from the failed step",
            permission=FORK_WORKFLOW,
            action="fork",
            takes=FAILED,
            refusals=NOT_FAILED,
            consequence=(
                "For each a new workflow keeps the results before the step that failed, and runs "
                "that one and the rest anew. The failed ones stay as they are."
            ),
            perform=_fork,
            foresee=_back,
            plan_title="Own queue",
            makes=True,
        ),
        Verb(
            name="delete",
            title="Delete",
            permission=DELETE_WORKFLOW,
            action="delete",
            takes=("SUCCESS", *FAILED),
            refusals=dict.fromkeys(IN_FLIGHT, "still active: cancel it first"),
            consequence=(
                "Each and all it recorded is deleted: steps, events, messages, streams. This "
                "cannot be undone."
            ),
            perform=_delete,
            is_danger=True,
        ),
    )
}
assert all({*verb.takes, *verb.refusals} == {*STATUSES} for verb in VERBS.values())
