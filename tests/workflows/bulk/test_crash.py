"""The process that works on a job is killed again and again: nothing twice, nothing lost."""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest
from django.db import connections

from dboshub.workflows.actions.audit import Actor
from dboshub.workflows.bulk import chunks, job_actions
from dboshub.workflows.bulk.worker import run_round
from dboshub.workflows.models import AuditEvent, BulkJob, Workflow
from tests.workflows.bulk.conftest import Workflows

pytestmark = pytest.mark.django_db(transaction=True)

SURVIVED = 3


def process_that_dies(number: int) -> None:
    """A process that works on what is due, and is killed within its fourth chunk."""
    # It must not share this one's connections.
    connections.close_all()
    pid = os.fork()
    if pid:
        assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
        return
    closed = [0]
    close = chunks.Chunk.close

    def close_or_die(self: chunks.Chunk, job: BulkJob | None) -> None:
        if closed[0] == SURVIVED and number % 2:
            os.kill(os.getpid(), signal.SIGKILL)
        close(self, job)
        closed[0] += 1
        if closed[0] > SURVIVED:
            os.kill(os.getpid(), signal.SIGKILL)

    chunks.Chunk.close = close_or_die  # type: ignore[method-assign]
    try:
        while run_round(f"process {number}") == 0:
            pass
    finally:
        os._exit(0)


def counts(job: BulkJob) -> Counter[str]:
    """What the job counts, which is what its items say."""
    job.refresh_from_db()
    found = +Counter(done=job.done, skipped=job.skipped, failed=job.failed)
    items = Counter(job.items.values_list("state", flat=True))
    assert found == +Counter({each: items[each] for each in ("done", "skipped", "failed")})
    return found


def test_an_undo_puts_each_back_once_however_often_the_process_dies(
    operator: Actor, workflows: Workflows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "MAX_CHUNK", 5)
    ids = workflows(60, "ENQUEUED", queue_name="mail", priority=3)
    job = job_actions.create_job(operator, "cancel")
    for _ in ("cancelled", "undone"):
        job_actions.start_job(operator, job.pk)
        for number in range(3):
            process_that_dies(number)
            counts(job)
            BulkJob.objects.update(lease_until=0)
        while run_round("the last") == 0:
            pass
        assert counts(job) == {"done": len(ids)}
        job = job_actions.create_undo(operator, job.pk) if job.undoes is None else job

    kept = Workflow.objects.values_list("status", "queue_name", "priority", "completed_at")
    assert Counter(kept) == {("ENQUEUED", "mail", 3, None): len(ids)}


def test_each_workflow_is_forked_once_however_often_the_process_dies(
    operator: Actor, workflows: Workflows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "MAX_CHUNK", 5)
    sources = workflows(100)
    job = job_actions.create_job(operator, "fork_from_failure")
    job_actions.start_job(operator, job.pk)

    for number in range(4):
        process_that_dies(number)
        assert counts(job)["done"] == 5 * SURVIVED * (number + 1)
        assert job.state == "running"
        # A minute later.
        BulkJob.objects.update(lease_until=0)
    while run_round("the last") == 0:
        pass

    job.refresh_from_db()
    assert (job.state, job.done, job.failed, job.skipped) == ("done", len(sources), 0, 0)
    forked = Workflow.objects.exclude(forked_from=None).values_list("forked_from", flat=True)
    assert Counter(forked) == Counter(sources)
    audited = AuditEvent.objects.filter(action="fork", outcome="done")
    assert Counter(audited.values_list("target", flat=True)) == Counter(sources)
