"""The background worker of bulk jobs: takes leases and processes a chunk of each due job."""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid

from django.db import connections
from django.db.models import Q

from dboshub.workflows.bulk.chunks import account_of, do_chunk
from dboshub.workflows.bulk.retention import forget_old_changes
from dboshub.workflows.bulk.undo_set import collect_next
from dboshub.workflows.clock import now_ms
from dboshub.workflows.engine.background import BackgroundLoop
from dboshub.workflows.models import BulkJob
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.transient_errors import is_transient

logger = logging.getLogger(__name__)

LEASE_MS = 60_000
IDLE_S = 5.0
RETRY_MS = 5_000
MAX_JOBS_PER_ROUND = 10
ACTIVE = (BulkJob.State.COLLECTING, BulkJob.State.RUNNING)

_workers: list[BackgroundLoop] = []


def wake_worker() -> None:
    """Let the worker of this process run its next round at once."""
    for worker in _workers:
        worker.wake()


def start_worker() -> None:
    """Start the worker in a daemon thread."""
    owner = _new_owner()
    worker = BackgroundLoop(
        "bulk",
        "The work on bulk jobs",
        lambda: run_round(owner),
        after_turn=connections.close_all,
    )
    _workers.append(worker)
    worker.start()


def work_on(job_id: int) -> BulkJob:
    """Collect or process one job, at its rate, until that has ended; other processes may help."""
    owner = _new_owner()
    while True:
        job, now = BulkJob.objects.get(pk=job_id), now_ms()
        if job.state not in ACTIVE:
            return job
        if job.next_at > now or not _lease(job_id, owner, now):
            time.sleep(min(1.0, max(0.05, (job.next_at - now) / 1_000)))
        else:
            _step(job_id, job.state, owner)


def run_round(owner: str) -> float:
    """Process one chunk of each due job; return the seconds until the next round."""
    jobs = BulkJob.objects.filter(state__in=ACTIVE).order_by("next_at", "pk")
    now = now_ms()
    # Those of other processes would fill the round.
    due = jobs.filter(_is_free(owner, now), next_at__lte=now).values_list("pk", "state")
    worked = [
        job_id
        for job_id, state in due[:MAX_JOBS_PER_ROUND]
        if _lease(job_id, owner, now) and _step(job_id, state, owner)
    ]
    if worked:
        return 0
    forget_old_changes()
    later = jobs.filter(next_at__gt=now).values_list("next_at", flat=True).first()
    return IDLE_S if later is None else min(IDLE_S, max(0.0, (later - now_ms()) / 1_000))


def _new_owner() -> str:
    return f"{socket.gethostname()[:20]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


def _lease(job_id: int, owner: str, now: int) -> bool:
    """Take or extend the lease of a job; False while another process holds it."""
    mine = BulkJob.objects.filter(_is_free(owner, now), pk=job_id, state__in=ACTIVE)
    return bool(mine.update(lease_owner=owner, lease_until=now + LEASE_MS))


def _is_free(owner: str, now: int) -> Q:
    """Whether no other process holds the lease; none holds one for longer than it lasts."""
    until = Q(lease_until__lt=now) | Q(lease_until__gt=now + 2 * LEASE_MS)
    return Q(lease_owner__in=("", owner)) | until


def _step(job_id: int, state: str, owner: str) -> bool:
    try:
        if state == BulkJob.State.RUNNING:
            return do_chunk(job_id, owner)
        job = BulkJob.objects.get(pk=job_id)
        user = account_of(job)
        if user is None:
            raise LookupError(f"the account {job.username!r} was deleted or disabled")
        return collect_next(job, viewer_for(user)) is not None
    except Exception as error:
        logger.exception("bulk.failed", extra={"job": job_id})
        _retry_later_or_stop(job_id, state, error)
        return False


def _retry_later_or_stop(job_id: int, state: str, error: Exception) -> None:
    """Retry the job later after a transient error; stop it after any other."""
    same = BulkJob.objects.filter(pk=job_id, state=state)
    if is_transient(error.__cause__ or error):
        same.update(next_at=now_ms() + RETRY_MS)
    else:
        # PostgreSQL's text holds no NUL.
        why = f"{type(error).__name__}: {error}".split("\n", 1)[0].replace("\0", "")
        same.update(state=BulkJob.State.STOPPED, note=why, ended_at=now_ms())
