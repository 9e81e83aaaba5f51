"""Actions on bulk jobs: create, start, stop, retry and discard."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, router, transaction
from django.http import QueryDict

from dboshub.workflows.actions.audit import (
    ActionRefusedError,
    Actor,
    AuditedAction,
    audited_action,
    record,
    record_refusal,
    refuse_if_read_only,
    require_permission,
)
from dboshub.workflows.actions.terminal_user import TerminalUser
from dboshub.workflows.bulk.chunks import TERMINAL
from dboshub.workflows.bulk.retention import DAYS, is_kept
from dboshub.workflows.bulk.target_set import collect_selected
from dboshub.workflows.bulk.undo_set import collect_next
from dboshub.workflows.bulk.verbs import OFFERED, VERBS
from dboshub.workflows.bulk.worker import wake_worker
from dboshub.workflows.clock import now_ms
from dboshub.workflows.models import BulkItem, BulkJob
from dboshub.workflows.permissions import VIEW_PAYLOAD
from dboshub.workflows.search.criteria import parse, public_query
from dboshub.workflows.selectors.scope import Viewer, viewer_for

State = BulkJob.State
# A request collects the set for up to COLLECT_S; the worker continues with a large one.
COLLECT_S = 1.0
DRAFT_LASTS_MS = 7 * 86_400_000


def create_job(
    actor: Actor,
    verb: str,
    *,
    query: str = "",
    ids: Iterable[str] | None = None,
    again: bool = False,
) -> BulkJob:
    """Create a job for the workflows `ids`, or for all that match the filter `query`.

    It does nothing until it is started. `again` includes workflows that were forked before. Raises
    ActionRefusedError.
    """
    refuse_if_read_only(actor, "bulk_freeze", "bulk", verb)
    require_permission(actor, OFFERED[verb].permission, "bulk_freeze", "bulk", verb)
    job = BulkJob(verb=verb, options={"again": again, "checked": ids is not None}, filter=query)
    _assign_owner(job, actor)
    viewer = viewer_for(actor.user)
    _refuse_unclear_filter(job, actor)
    delete_old_drafts()
    with transaction.atomic(using=router.db_for_write(BulkJob)):
        job.save()
        record(
            actor, "bulk_freeze", "bulk", str(job.pk), verb=verb, filter=public_query(job.filter)
        )
    if ids is not None:
        collect_selected(job, ids, viewer)
        return job
    return _collect(job, viewer)


def create_undo(actor: Actor, job_id: int) -> BulkJob:
    """Create a job that undoes another one as far as that is possible.

    It does nothing until it is started. Needs the permission for what is undone. Raises
    ActionRefusedError.
    """
    source = BulkJob.objects.filter(pk=job_id).first()
    if source is None:
        raise _missing()
    verb = VERBS[source.verb]
    refuse_if_read_only(actor, "bulk_undo", "bulk", str(job_id))
    require_permission(actor, verb.permission, "bulk_undo", "bulk", str(job_id))
    if why := undo_refusal(source):
        record_refusal(actor, "bulk_undo", "bulk", str(job_id), why)
        raise ActionRefusedError(why, "Act on its workflows one by one, or choose them anew.")
    job = BulkJob(verb=f"undo_{verb.action}", options={"again": True}, undoes=source)
    _assign_owner(job, actor)
    delete_old_drafts()
    for draft in source.undone_by.filter(started_at=None, user=job.user, state=State.FROZEN):
        _drop(draft)
    with transaction.atomic(using=router.db_for_write(BulkJob)):
        job.save()
        record(actor, "bulk_undo", "bulk", str(source.pk), verb=source.verb, by=job.pk)
    return _collect(job, viewer_for(actor.user))


def undo_refusal(job: BulkJob) -> str:
    """Why the job cannot be undone now; empty if it can."""
    if not VERBS[job.verb].undo:
        return "This cannot be undone."
    if job.state not in (State.STOPPED, State.DONE) or job.started_at is None:
        return f"This job is {job.get_state_display().lower()}: it cannot be undone now."
    if not is_kept(job.started_at):
        return f"It is older than {DAYS} days: what it changed is not recorded any more."
    return "" if job.changes.exists() else "It changed nothing that is recorded."


def _collect(job: BulkJob, viewer: Viewer) -> BulkJob:
    """Collect the set for COLLECT_S at most; the worker goes on."""
    deadline = time.monotonic() + COLLECT_S
    while job.state == State.COLLECTING and time.monotonic() < deadline:
        try:
            job = collect_next(job, viewer) or BulkJob.objects.get(pk=job.pk)
        except DatabaseError:
            # The worker tries again, or shows the error on the page of the job.
            break
    wake_worker()
    return job


def delete_old_drafts() -> None:
    """Delete jobs that nobody started for a week."""
    drafts = BulkJob.objects.filter(started_at=None, created_at__lt=now_ms() - DRAFT_LASTS_MS)
    for draft in drafts.exclude(state=State.COLLECTING):
        _drop(draft)


def start_job(
    actor: Actor,
    job_id: int,
    *,
    options: Mapping[str, Any] | None = None,
    rate: float | None = None,
    reason: str = "",
) -> None:
    """Start the job, or continue it after a stop, in the name of this actor.

    `options` apply only to the first start, so that all items are treated alike. `rate` is the
    largest number of items per second.
    """
    with _changing(actor, job_id, "bulk_start", reason) as (action, job):
        if job.state not in (State.FROZEN, State.STOPPED):
            raise _refused(job)
        if job.started_at is None:
            if job.state == State.STOPPED or not job.total:
                raise ActionRefusedError("The set is empty.", "Choose again from the list.")
            job.options |= dict(options or {})
            job.reason = reason.strip()
            job.started_at = now_ms()
        _run(job, actor)
        job.rate = rate
        action.detail.update(
            verb=job.verb, items=job.total, filter=public_query(job.filter), **job.options
        )


def stop_job(actor: Actor, job_id: int, *, reason: str = "") -> None:
    """Stop the job after its current chunk."""
    with _changing(actor, job_id, "bulk_stop", reason) as (action, job):
        if job.state != State.RUNNING:
            raise _refused(job)
        job.state, job.ended_at = State.STOPPED, now_ms()
        job.note = f"Stopped by {actor.user.get_username()}."
        action.detail.update(verb=job.verb, done=job.done, items=job.total)


def retry_failed(actor: Actor, job_id: int, *, reason: str = "") -> None:
    """Try the failed items again."""
    with _changing(actor, job_id, "bulk_retry", reason) as (action, job):
        if job.state not in (State.STOPPED, State.DONE) or not job.failed:
            raise _refused(job)
        failed = job.items.filter(state=BulkItem.State.FAILED)
        # What an earlier try recorded would tell a later one that it was done.
        job.changes.filter(workflow_id__in=failed.values("workflow_id")).delete()
        action.detail.update(
            verb=job.verb, items=failed.update(state=BulkItem.State.WAITING, note="", at=None)
        )
        job.recount()
        _run(job, actor)


def discard_job(actor: Actor, job_id: int) -> None:
    """Delete a job that was never started."""
    with _changing(actor, job_id, "bulk_discard", "") as (action, job):
        if job.started_at is not None:
            raise _refused(job)
        action.detail.update(verb=job.verb, items=job.total)
        _drop(job)


@contextmanager
def _changing(
    actor: Actor, job_id: int, name: str, reason: str
) -> Iterator[tuple[AuditedAction, BulkJob]]:
    """Lock the job against the worker, and save it if nothing is raised; needs the verb's
    permission."""
    found = BulkJob.objects.filter(pk=job_id).first()
    if found is None:
        raise _missing()
    permission = VERBS[found.verb].permission
    with (
        audited_action(
            actor, name, "bulk", str(job_id), permission=permission, reason=reason
        ) as action,
        transaction.atomic(using=router.db_for_write(BulkJob)),
    ):
        job = BulkJob.objects.select_for_update().get(pk=job_id)
        yield action, job
        if job.pk is not None:
            job.save()
    wake_worker()


def _refuse_unclear_filter(job: BulkJob, actor: Actor) -> None:
    """Refuse a filter with problems: a criterion left out would make the set larger."""
    may_ask = actor.user.has_perm(VIEW_PAYLOAD)
    criteria = parse(QueryDict(job.filter), now=job.created_at, attributes=may_ask)
    if criteria.problems:
        raise ActionRefusedError(
            " ".join(criteria.problems), "Correct the filter in the list first."
        )
    if criteria.words:
        raise ActionRefusedError(
            f"{criteria.words!r} is no criterion.", "Write name:… or id:… in the list first."
        )


def _drop(job: BulkJob) -> None:
    # A cascade would read each item first.
    job.items.all()._raw_delete(job.items.db)
    job.delete()


def _run(job: BulkJob, actor: Actor) -> None:
    job.state, job.note, job.ended_at = State.RUNNING, "", None
    job.next_at = 0
    _assign_owner(job, actor)


def _assign_owner(job: BulkJob, actor: Actor) -> None:
    is_terminal = isinstance(actor.user, TerminalUser)
    job.user = None if is_terminal else actor.user
    job.options = {**job.options, TERMINAL: is_terminal}
    job.username = actor.name
    job.address = actor.address


def _missing() -> ActionRefusedError:
    return ActionRefusedError("There is no such bulk job.", "Choose one from the list.")


def _refused(job: BulkJob) -> ActionRefusedError:
    return ActionRefusedError(
        f"This job is {job.get_state_display().lower()}.", "Reload the page: it has moved on."
    )
