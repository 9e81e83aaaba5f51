"""What the verbs of bulk jobs do to the workflows of one chunk, in its transaction.

A verb ends each item of its batch as done, or as skipped with a reason. If it raises, the batch
fails and its items are tried one by one.
"""

from __future__ import annotations

from collections.abc import Sequence

from dboshub.workflows.bulk.batch import UNKNOWN, Batch
from dboshub.workflows.bulk.child_forks import forks_of_failed_children
from dboshub.workflows.engine.records import ACTIVE, INTERNAL_QUEUE
from dboshub.workflows.engine.waiting.notices import QUEUE, STATUS
from dboshub.workflows.selectors.changes import queues_left
from dboshub.workflows.selectors.rows import WorkflowRow, rows_by_id
from dboshub.workflows.storage.control import cancel as cancelling
from dboshub.workflows.storage.control import delete as deleting
from dboshub.workflows.storage.control import fork as forking
from dboshub.workflows.storage.control import resume as resuming
from dboshub.workflows.storage.control.fork_points import fork_points


def cancel(batch: Batch) -> None:
    below = batch.with_descendants()
    also = dict.fromkeys(each for ids in below.values() for each in ids if each not in below)
    wanted = [*below, *(each for each in also if batch.rows[each].status in ACTIVE)]
    batch.record(wanted)
    cancelled = set(cancelling.cancel(batch.session, wanted, now=batch.now))
    batch.notices += [(STATUS, each) for each in cancelled]
    for workflow_id, ids in below.items():
        queue, count = batch.rows[workflow_id].queue_name, len(cancelled.intersection(ids))
        words = [f"it was on {queue}"] if queue else []
        words += [f"with {count:,} descendants"] if count else []
        batch.done(workflow_id, ", ".join(words))


def resume(batch: Batch) -> None:
    by_queue: dict[str, list[str]] = {}
    for workflow_id, queue in batch.queues().items():
        by_queue.setdefault(queue, []).append(workflow_id)
    batch.record(batch.items)
    for queue, ids in by_queue.items():
        for workflow_id in resuming.resume(batch.session, ids, queue=queue, now=batch.now):
            batch.notices.append((STATUS, workflow_id))
            batch.done(workflow_id, _onto(queue))
        batch.notices.append((QUEUE, queue))


def fork(batch: Batch) -> None:
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
    retried = wanted if how in (None, "failed") else []
    below, replaced = forks_of_failed_children(batch.session, batch.viewer, retried)
    batch.notices += [(QUEUE, each.queue) for each in below]
    every = [*below, *wanted]
    batch.record_creations(each.new_id for each in every)
    forking.fork_many(batch.session, every, replacement_children=replaced, now=batch.now)


def delete(batch: Batch) -> None:
    below = batch.with_descendants()
    ids = [*below, *(each for found in below.values() for each in found)]
    # Lock before reading: otherwise one could be resumed between the two.
    batch.session.all(deleting.LOCK, ids=batch.session.ids(sorted(ids)))
    rows = rows_by_id(batch.session, ids, viewer=batch.viewer)
    active = {each for each, row in rows.items() if row.status in ACTIVE}
    for workflow_id in [each for each, found in below.items() if active.intersection(found)]:
        del below[workflow_id]
        batch.skip(workflow_id, "A descendant of it is still active.")
    doomed = list(dict.fromkeys([*below, *(each for found in below.values() for each in found)]))
    batch.record(each for each in doomed if each in batch.rows)
    deleting.delete(batch.session, doomed)
    batch.notices += [(STATUS, each) for each in doomed]
    for workflow_id, found in below.items():
        batch.done(workflow_id, f"with {len(found):,} descendants" if found else "")


def own_queues(rows: Sequence[WorkflowRow]) -> dict[str, str]:
    """Where each goes if it goes to the queue that it came from."""
    left = queues_left(rows)
    return {row.pk: _to(left[row.pk]) if row.pk in left else UNKNOWN for row in rows}


def _to(queue: str) -> str:
    return f"back onto {queue}" if queue and queue != INTERNAL_QUEUE else "on no queue before"


def _onto(queue: str) -> str:
    return "past every limit" if queue == INTERNAL_QUEUE else f"onto {queue}"
