"""Processes one chunk of a running job: takes items, acts on them, records their results.

If all tables are in one database, a chunk is one transaction: a crash neither repeats nor loses an
action. If the hub's tables are in another database, items are marked before the action and
completed after it; after a crash, a marked item is checked before it is tried again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth import get_user_model
from django.db import router, transaction

from dboshub.workflows.actions.audit import Actor, new_audit_event
from dboshub.workflows.actions.terminal_user import TerminalUser
from dboshub.workflows.bulk.batch import FORKED, HIDDEN, OWN_QUEUE, Batch
from dboshub.workflows.bulk.verbs import VERBS
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic, reading, system_alias
from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.models import AuditEvent, BulkItem, BulkJob, Change
from dboshub.workflows.selectors.registered_queues import is_partitioned
from dboshub.workflows.selectors.rows import WorkflowRow, rows_by_id
from dboshub.workflows.selectors.scope import Viewer, viewer_for
from dboshub.workflows.storage.control import delete as deleting
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.storage.transient_errors import is_transient
from dboshub.workflows.storage.waiting.notify import notify

MAX_CHUNK = 250
# The option of a job that a user of the shell started, who has no account.
TERMINAL = "terminal"
MAX_NOTE_LENGTH = 500
ALREADY_DONE = "done already, before its process ended"
WITH_ANOTHER = "with another of the set, above it"
State = BulkItem.State


def do_chunk(job_id: int, owner: str) -> bool:
    """Process the next items of a running job under this lease; False if there are none."""
    hub = router.db_for_write(BulkJob)
    if hub == system_alias():
        with transaction.atomic(using=hub):
            chunk = _open(job_id, owner)
            if chunk:
                chunk.act()
                chunk.close(_leased(job_id, owner))
        return chunk is not None
    with transaction.atomic(using=hub):
        chunk = _open(job_id, owner)
        if chunk:
            chunk.mark()
    if chunk:
        chunk.act()
        with transaction.atomic(using=hub):
            chunk.close(_leased(job_id, owner))
    return chunk is not None


@dataclass(slots=True)
class Chunk:
    """Some items of a job with their actor; `events` are their audit rows in the same order."""

    job: BulkJob
    actor: Actor
    partitioned: bool
    items: list[BulkItem]
    began_at: int
    events: list[AuditEvent] = field(default_factory=list)
    is_marked: bool = False

    def __post_init__(self) -> None:
        action, reason = VERBS[self.job.verb].action, self.job.reason
        self.events = [_event_of(item, self.actor, action, reason) for item in self.items]

    def mark(self) -> None:
        """Record the items before the action, because no transaction spans both databases."""
        self.job.items.filter(pk__in=[item.pk for item in self.items]).update(state=State.STARTED)
        AuditEvent.objects.bulk_create(self.events)
        self.is_marked = True

    def act(self) -> None:
        """Act on all items in one transaction; after a permanent error, on each in its own."""
        states = [item.state for item in self.items]
        if self._try(self.items) is None:
            return
        for item, state in zip(self.items, states, strict=True):
            item.state, item.note = state, ""
        for item in self.items:
            error = self._try([item])
            if error is not None:
                item.state = State.FAILED
                item.note = f"{type(error).__name__}: {error}".split("\n", 1)[0][:MAX_NOTE_LENGTH]

    def close(self, job: BulkJob | None) -> None:
        """Record the results, unless the lease was lost: then its new holder records them."""
        if job is None:
            return
        for state, note in {(item.state, item.note) for item in self.items}:
            alike = [item.pk for item in self.items if (item.state, item.note) == (state, note)]
            job.items.filter(pk__in=alike).update(state=state, note=note, at=now_ms())
        self._close_events()
        counted = {state: sum(item.state == state for item in self.items) for state in State}
        job.done += counted[State.DONE]
        job.skipped += counted[State.SKIPPED]
        job.failed += counted[State.FAILED]
        if job.rate:
            tried = len(self.items) - counted[State.SKIPPED]
            job.next_at = max(job.next_at, self.began_at) + round(tried * 1_000 / job.rate)
        else:
            job.next_at = self.began_at
        job.save()

    def _try(self, items: Sequence[BulkItem]) -> Exception | None:
        try:
            with atomic() as session:
                self._perform(session, items)
        except Exception as error:
            if is_transient(error.__cause__ or error):
                raise
            return error
        return None

    def _perform(self, session: Session, items: Sequence[BulkItem]) -> None:
        ids = sorted(item.workflow_id for item in items)
        session.all(deleting.LOCK, ids=session.ids(ids))
        viewer = viewer_for(self.actor.user)
        rows = rows_by_id(session, ids, viewer=viewer)
        uncertain = [item for item in items if item.state == State.STARTED]
        made = rows_by_id(session, [item.made for item in uncertain]) if uncertain else {}
        changes = self._own_changes(uncertain)
        ready: dict[str, BulkItem] = {}
        for item in items:
            row = rows.get(item.workflow_id)
            change = changes.get(item.workflow_id)
            if item in uncertain and self._was_done(item, row, made, change):
                item.state, item.note = State.DONE, ALREADY_DONE
            elif change is not None and (row is None or row.updated_at == change.at):
                item.state, item.note = State.DONE, WITH_ANOTHER
            elif why := self._refusal(item, row):
                item.state, item.note = State.SKIPPED, why
            else:
                ready[item.workflow_id] = item
        now = _unused_stamp(rows.values())
        batch = Batch(self.job, session, viewer, self.partitioned, now, ready, rows)
        if ready:
            VERBS[self.job.verb].perform(batch)
        if session.vendor == "postgresql":
            notify(session, dict.fromkeys(batch.notices))

    def _own_changes(self, uncertain: Sequence[BulkItem]) -> dict[str, Change]:
        """What the job recorded of these items before: an earlier try, or their ancestors did."""
        if not uncertain and not self.job.options.get("children"):
            return {}
        ids = [item.workflow_id for item in self.items]
        return {each.workflow_id: each for each in self.job.changes.filter(workflow_id__in=ids)}

    def _was_done(
        self,
        item: BulkItem,
        row: WorkflowRow | None,
        made: dict[str, WorkflowRow],
        change: Change | None,
    ) -> bool:
        """Whether the action was committed by the process that marked the item."""
        if VERBS[self.job.verb].makes:
            return item.made in made
        if row is None:
            return True
        return change is not None and row.updated_at != change.was.get("updated_at")

    def _refusal(self, item: BulkItem, row: WorkflowRow | None) -> str:
        """Why an item is skipped: it changed after the set was fixed. Empty if it did not."""
        verb = VERBS[self.job.verb]
        if row is None:
            return HIDDEN
        if not verb.fits(item.was, row.status):
            return f"{row.status} now, {item.was} when the set was fixed"
        return (
            FORKED if verb.makes and row.was_forked_from and not self.job.options["again"] else ""
        )

    def _close_events(self) -> None:
        for item, event in zip(self.items, self.events, strict=True):
            event.detail = {"bulk": self.job.pk, "was": item.was}
            event.outcome = AuditEvent.Outcome.DONE
            if item.state != State.DONE:
                event.outcome = AuditEvent.Outcome.REFUSED
                event.detail["refused"] = item.note
            elif item.made:
                event.detail["fork"] = item.made
        if self.is_marked:
            AuditEvent.objects.bulk_update(self.events, ["outcome", "detail"])
        else:
            AuditEvent.objects.bulk_create(self.events)


def _unused_stamp(rows: Iterable[WorkflowRow]) -> int:
    """The time (epoch ms) of a change, other than that of the last change of each row."""
    now, used = now_ms(), {row.updated_at for row in rows}
    while now in used:
        now += 1
    return now


def _leased(job_id: int, owner: str) -> BulkJob | None:
    """The locked job if this owner holds its lease; a stopped job keeps its lease."""
    return BulkJob.objects.select_for_update().filter(pk=job_id, lease_owner=owner).first()


def _open(job_id: int, owner: str) -> Chunk | None:
    """The next items; None if the job is not running, has ended, or must stop."""
    job = _leased(job_id, owner)
    if job is None or job.state != BulkJob.State.RUNNING:
        return None
    user = account_of(job)
    queue = job.options.get("queue")
    partitioned = _is_partitioned(queue, viewer_for(user)) if user is not None else None
    if user is None or partitioned is None or not user.has_perm(VERBS[job.verb].permission):
        _stop(job, _stop_reason(job, user))
        return None
    size = min(MAX_CHUNK, max(1, int(job.rate))) if job.rate else MAX_CHUNK
    # Items that a crashed process marked first; then the oldest workflows, collected last.
    waiting = job.items.filter(state__in=(State.STARTED, State.WAITING))
    items = [*waiting.order_by("state", "-pk")[:size]]
    if not items:
        job.state, job.ended_at = BulkJob.State.DONE, now_ms()
        job.recount()
        job.save()
        return None
    return Chunk(job, Actor(user, job.address), partitioned, items, now_ms())


def account_of(job: BulkJob) -> Any:
    """Who acts in the job: the current account; None if it was deleted or disabled."""
    if job.user_id is None:
        return TerminalUser(job.username) if job.options.get(TERMINAL) is True else None
    return get_user_model().objects.filter(pk=job.user_id, is_active=True).first()


def _stop_reason(job: BulkJob, user: Any) -> str:
    """Why the job must stop."""
    permission = VERBS[job.verb].permission
    if user is None:
        return f"The account {job.username!r} was deleted or disabled."
    if not user.has_perm(permission):
        return f"{job.username} lacks the permission {permission} now."
    return f"The queue {job.options['queue']!r} was deleted, or {job.username} may not see it."


def _is_partitioned(queue: str | None, viewer: Viewer) -> bool | None:
    """Whether the chosen queue is partitioned; None if it was deleted, or is not the viewer's."""
    if not queue or queue in (OWN_QUEUE, INTERNAL_QUEUE):
        return False
    with reading() as session:
        return is_partitioned(session, queue, viewer)


def _stop(job: BulkJob, why: str) -> None:
    job.state, job.note, job.ended_at = BulkJob.State.STOPPED, why, now_ms()
    job.save()
    AuditEvent.objects.create(
        user=job.user,
        username=job.username,
        address=job.address,
        action="bulk_stop",
        target_kind="bulk",
        target=str(job.pk),
        outcome=AuditEvent.Outcome.REFUSED,
        detail={"refused": why},
    )


def _event_of(item: BulkItem, actor: Actor, action: str, reason: str) -> AuditEvent:
    event = new_audit_event(actor, action, "workflow", item.workflow_id, reason)
    event.application_name = item.application_name or ""
    return event
