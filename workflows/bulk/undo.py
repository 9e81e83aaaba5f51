"""Undo of a bulk job: each workflow gets the columns back that it had, if it is as the job left it.

What has started, ended or changed since then stays as it is: no run can be taken back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dboshub.workflows.bulk.adjustments import version_of
from dboshub.workflows.bulk.batch import HIDDEN, Batch
from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.engine.waiting.notices import QUEUE, STATUS
from dboshub.workflows.models import Change
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.statuses import IN_FLIGHT, STATUSES
from dboshub.workflows.storage.control import delete as deleting
from dboshub.workflows.storage.control import restore as restoring

# The statuses in which a verb leaves workflows, until somebody else changes them.
LEAVES = {
    "cancel": ("CANCELLED",),
    "resume": ("ENQUEUED",),
    "fork_from_failure": ("ENQUEUED",),
    "move": ("ENQUEUED", "DELAYED"),
    "prioritize": ("ENQUEUED", "DELAYED"),
    "delay": ("DELAYED",),
    "end_delay": ("ENQUEUED",),
}
STARTED, ENDED, CHANGED = "started since then", "ended since then", "changed since then"
SINCE = {"PENDING": STARTED, "SUCCESS": ENDED, "ERROR": ENDED}
# The one column that a verb changes, where it changes no other.
CHANGES = {"move": "application_version", "prioritize": "priority"}
AS_BEFORE = "as it was before the job"
NOT_RECORDED = "what it was is not recorded"
OVERDUE = "its deadline has passed"
ID_TAKEN = "another one holds its deduplication id now"


@dataclass(frozen=True, slots=True)
class Return:
    """What becomes of one workflow: `values` of its columns, none if it is deleted; or `refusal`.

    `words` say it.
    """

    values: dict[str, Any] | None = None
    words: str = ""
    refusal: str = ""


def way_back(change: Change, verb: str, row: WorkflowRow | None, *, now: int) -> Return:
    """How to put back what a job with this verb changed, by the workflow's present row."""
    was = change.was
    if row is None:
        return Return(refusal=HIDDEN)
    if was and row.updated_at == was.get("updated_at"):
        return Return(refusal=AS_BEFORE)
    if row.status not in LEAVES[verb] or row.updated_at != change.at:
        return Return(refusal=SINCE.get(row.status, CHANGED))
    if not was:
        return Return(words="the fork is deleted")
    if was.get("status") not in STATUSES:
        return Return(refusal=NOT_RECORDED)
    deadline = was.get("workflow_deadline_epoch_ms")
    if was["status"] in IN_FLIGHT and deadline is not None and deadline <= now:
        return Return(refusal=OVERDUE)
    wanted = (CHANGES[verb], "updated_at") if verb in CHANGES else restoring.COLUMNS
    values = {name: getattr(row, name) for name in restoring.COLUMNS}
    values |= {name: was.get(name) for name in wanted}
    words = _words(verb, values)
    return Return(values if verb in CHANGES else _enqueued(values, now), words)


def undo(batch: Batch) -> None:
    """Put back the workflows of a batch whose job undoes another one."""
    source = batch.job.undoes
    if source is None:
        raise LookupError("the job to undo is not there any more")
    changes = Change.objects.filter(job=source, workflow_id__in=[*batch.items])
    values: dict[str, dict[str, Any]] = {}
    doomed: list[str] = []
    for change in changes:
        back = way_back(change, source.verb, batch.rows[change.workflow_id], now=batch.now)
        if not back.words:
            batch.skip(change.workflow_id, back.refusal)
        elif back.values is None:
            doomed.append(change.workflow_id)
        else:
            values[change.workflow_id] = {
                "id": change.workflow_id,
                "changed_at": change.at,
                **back.values,
            }
            batch.items[change.workflow_id].note = back.words
    for workflow_id in {*batch.items} - {*doomed, *values}:
        batch.skip(workflow_id, NOT_RECORDED)
    batch.record(batch.items)
    _delete_forks(batch, doomed)
    restored = restoring.restore(batch.session, [*values.values()]) if values else set()
    for workflow_id, given in values.items():
        batch.notices += _notices(workflow_id, given)
        if workflow_id in restored:
            batch.done(workflow_id, batch.items[workflow_id].note)
        else:
            batch.skip(workflow_id, ID_TAKEN)


def _delete_forks(batch: Batch, ids: list[str]) -> None:
    if not ids:
        return
    deleting.delete(batch.session, ids)
    sources = (batch.rows[each].forked_from for each in ids)
    restoring.unmark_sources(batch.session, (each for each in sources if each is not None))
    for workflow_id in ids:
        batch.notices.append((STATUS, workflow_id))
        batch.done(workflow_id, "the fork is deleted")


def _enqueued(values: dict[str, Any], now: int) -> dict[str, Any]:
    """The values for a row that nobody runs: what had begun is enqueued again."""
    if _had_begun(values):
        return values | {
            "status": "ENQUEUED",
            "queue_name": values["queue_name"] or INTERNAL_QUEUE,
            "started_at_epoch_ms": None,
            "updated_at": now,
        }
    return values


def _had_begun(values: dict[str, Any]) -> bool:
    status, started = values["status"], values["started_at_epoch_ms"]
    return status == "PENDING" or (status == "DELAYED" and started is not None)


def _words(verb: str, values: dict[str, Any]) -> str:
    queue, status = values["queue_name"], values["status"]
    onto = f"back onto {queue}" if queue and queue != INTERNAL_QUEUE else "on no queue, as before"
    if verb == "move":
        return f"back to {version_of(values['application_version'])}"
    if verb == "prioritize":
        return f"back to priority {values['priority']}"
    if _had_begun(values):
        return f"goes on, {onto}"
    if status in IN_FLIGHT:
        return f"delayed again, {onto}" if status == "DELAYED" else onto
    return "cancelled again" if status == "CANCELLED" else "given up again"


def _notices(workflow_id: str, values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield STATUS, workflow_id
    if values["queue_name"]:
        yield QUEUE, values["queue_name"]
