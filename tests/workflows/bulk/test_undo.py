"""A job is undone as far as nothing has moved on since, and says how far before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dboshub.workflows.actions.audit import ActionRefusedError, Actor, NotPermittedError
from dboshub.workflows.bulk import chunks, job_actions
from dboshub.workflows.bulk.retention import LASTS_MS, forget_old_changes
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic
from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.models import AuditEvent, BulkJob, Change, Workflow
from dboshub.workflows.storage.control import cancel as cancelling
from dboshub.workflows.storage.control.restore import COLUMNS
from tests.workflows.bulk.conftest import Workflows

pytestmark = pytest.mark.django_db
Work = Callable[..., int]


def run_job(actor: Actor, work: Work, verb: str, query: str = "", **how: Any) -> BulkJob:
    return finished(actor, work, job_actions.create_job(actor, verb, query=query), **how)


def finished(actor: Actor, work: Work, job: BulkJob, **how: Any) -> BulkJob:
    work()  # a large set is still being collected
    job_actions.start_job(actor, job.pk, **how)
    work()
    job.refresh_from_db()
    assert job.state == "done"
    assert counts(job) == Counter(job.items.values_list("state", flat=True))
    return job


def counts(job: BulkJob) -> Counter[str]:
    return +Counter(done=job.done, skipped=job.skipped, failed=job.failed)


def rows() -> dict[str, dict[str, Any]]:
    """What can be put back of each workflow, but when it was changed."""
    found = Workflow.objects.values("workflow_uuid", "owner_xid", *COLUMNS)
    return {each.pop("workflow_uuid"): each for each in found}


def some_that_wait(workflows: Workflows) -> list[str]:
    queued = workflows(
        3, "ENQUEUED", queue_name="mail", priority=4, queue_partition_key="eu", owner_xid=None
    )
    delayed = workflows(
        2,
        "DELAYED",
        queue_name="slow",
        delay_until_epoch_ms=now_ms() + 3_600_000,
        application_version="v1",
        owner_xid=None,
    )
    Workflow.objects.filter(pk=queued[0]).update(deduplication_id="only one")
    return queued + delayed


VERBS: dict[str, dict[str, Any]] = {
    "cancel": {},
    "resume": {"queue": ""},
    "move": {"version": ""},
    "prioritize": {"priority": 9},
    "delay": {"seconds": 60.0},
    "end_delay": {},
}


@pytest.mark.parametrize("verb", VERBS)
def test_what_waits_is_put_back_exactly_as_it_was(
    operator: Actor, workflows: Workflows, work: Work, verb: str
) -> None:
    some_that_wait(workflows)
    before = rows()
    job = run_job(operator, work, verb, options=VERBS[verb])
    assert rows() != before

    undoing = job_actions.create_undo(operator, job.pk)
    assert (undoing.state, undoing.total, undoing.left_out) == ("frozen", job.done, {})
    assert rows() != before
    finished(operator, work, undoing, reason="too early")

    assert rows() == before
    assert undoing.total == undoing.done == job.done
    events = AuditEvent.objects.filter(action=undoing.verb, outcome="done")
    assert (events.count(), {*events.values_list("reason", flat=True)}) == (job.done, {"too early"})
    assert AuditEvent.objects.get(action="bulk_undo").target == str(job.pk)


def test_what_ran_when_it_was_cancelled_goes_on_in_line(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    workflows(2, "PENDING", queue_name="mail", started_at_epoch_ms=5)
    workflows(1, "PENDING", prefix="direct")
    workflows(1, "DELAYED", prefix="suspended", queue_name="mail", started_at_epoch_ms=5)
    job = run_job(operator, work, "cancel")

    undoing = job_actions.create_undo(operator, job.pk)
    assert undoing.plan == {
        "goes on, back onto mail": 3,
        "goes on, on no queue, as before": 1,
    }
    finished(operator, work, undoing)

    found = Workflow.objects.values_list("status", "queue_name", "owner_xid", "started_at_epoch_ms")
    assert Counter(found) == {
        ("ENQUEUED", "mail", None, None): 3,
        ("ENQUEUED", INTERNAL_QUEUE, None, None): 1,
    }


def test_what_was_resumed_is_cancelled_again_and_still_knows_its_queue(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    workflows(3, "ENQUEUED", queue_name="mail")
    run_job(operator, work, "cancel")
    cancelled = rows()
    resumed = run_job(operator, work, "resume", options={"queue": ""})
    assert {each["queue_name"] for each in rows().values()} == {INTERNAL_QUEUE}

    finished(operator, work, job_actions.create_undo(operator, resumed.pk))
    assert rows() == cancelled

    run_job(operator, work, "resume", options={"queue": "own"})
    assert {each["queue_name"] for each in rows().values()} == {"mail"}


def test_what_has_moved_on_is_left_out_and_counted_by_its_reason(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    ids = workflows(7, "CANCELLED", completed_at=5)
    job = run_job(operator, work, "resume", options={"queue": ""})
    Workflow.objects.filter(pk=ids[0]).update(status="PENDING", updated_at=now_ms() + 5)
    Workflow.objects.filter(pk=ids[1]).update(status="SUCCESS", updated_at=now_ms() + 5)
    Workflow.objects.filter(pk=ids[2]).update(updated_at=now_ms() + 5)
    Workflow.objects.filter(pk=ids[3]).delete()
    moved = {each: row for each, row in rows().items() if each in ids[:3]}

    undoing = job_actions.create_undo(operator, job.pk)
    assert undoing.left_out == {
        "started since then": 1,
        "ended since then": 1,
        "changed since then": 1,
        "deleted, or not visible to you": 1,
    }
    # One more starts before it is confirmed.
    Workflow.objects.filter(pk=ids[4]).update(status="PENDING", updated_at=now_ms() + 5)
    finished(operator, work, undoing)

    assert counts(undoing) == {"done": 2, "skipped": 1}
    assert {each: rows()[each] for each in moved} == moved
    assert Workflow.objects.filter(status="CANCELLED", completed_at=5).count() == 2


def test_forks_that_have_not_started_are_deleted_with_what_they_copied(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    from dboshub.workflows.models import Step

    sources = workflows(3)
    for source in sources:
        for number, error in ((1, None), (2, "broken")):
            Step.objects.create(
                workflow_uuid=source, function_id=number, function_name="s", error=error
            )
    job = run_job(operator, work, "fork_from_failure")
    made = {item.workflow_id: item.made for item in job.items.all()}
    Workflow.objects.filter(pk=made[sources[0]]).update(status="PENDING", updated_at=now_ms() + 5)

    undoing = job_actions.create_undo(operator, job.pk)
    assert (undoing.plan, undoing.left_out) == (
        {"the fork is deleted": 2},
        {"started since then": 1},
    )
    finished(operator, work, undoing)

    assert {*Workflow.objects.exclude(forked_from=None).values_list("pk", flat=True)} == {
        made[sources[0]]
    }
    marked = Workflow.objects.filter(was_forked_from=True).values_list("pk", flat=True)
    assert {*marked} == {sources[0]}
    assert Step.objects.filter(workflow_uuid__in=made.values()).count() == 1
    # Those whose forks are gone can be forked again.
    assert job_actions.create_job(operator, "fork_from_failure").total == 3 - 1


def test_descendants_that_were_cancelled_along_are_put_back_too(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    workflows(1, "ENQUEUED", prefix="top", queue_name="mail", owner_xid=None)
    below = {"parent_workflow_id": "top-00000", "name": "child", "owner_xid": None}
    workflows(2, "ENQUEUED", prefix="below", queue_name="slow", **below)
    before = rows()

    job = run_job(operator, work, "cancel", "name=charge", options={"children": True})
    assert job.done == 1
    undoing = finished(operator, work, job_actions.create_undo(operator, job.pk))

    assert (undoing.done, rows()) == (3, before)


def test_one_of_the_set_that_went_with_another_counts_as_done(
    operator: Actor, workflows: Workflows, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "MAX_CHUNK", 1)
    workflows(1, "PENDING", prefix="a")
    workflows(3, "PENDING", prefix="b", parent_workflow_id="a-00000")

    job = run_job(operator, work, "cancel", options={"children": True})

    assert counts(job) == {"done": 4}
    notes = Counter(job.items.values_list("note", flat=True))
    assert notes == {"with 3 descendants": 1, "with another of the set, above it": 3}


def test_a_deduplication_id_that_is_taken_and_a_deadline_that_passed_are_said(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    first, second = workflows(2, "ENQUEUED", queue_name="mail", owner_xid=None)
    Workflow.objects.filter(pk=first).update(deduplication_id="only one")
    Workflow.objects.filter(pk=second).update(workflow_deadline_epoch_ms=5)
    job = run_job(operator, work, "cancel")
    workflows(1, "ENQUEUED", prefix="new", name="n", queue_name="mail", deduplication_id="only one")

    undoing = job_actions.create_undo(operator, job.pk)
    assert undoing.left_out == {"its deadline has passed": 1}
    finished(operator, work, undoing)

    assert counts(undoing) == {"skipped": 1}
    assert undoing.items.get().note == "another one holds its deduplication id now"
    assert Workflow.objects.get(pk=first).status == "CANCELLED"


def test_an_undo_is_done_once_and_cannot_be_undone(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    some_that_wait(workflows)
    job = run_job(operator, work, "cancel")
    undoing = finished(operator, work, job_actions.create_undo(operator, job.pk))

    again = job_actions.create_undo(operator, job.pk)
    assert (again.total, again.left_out) == (0, {"as it was before the job": 5})
    with pytest.raises(ActionRefusedError, match="cannot be undone"):
        job_actions.create_undo(operator, undoing.pk)


def test_jobs_are_undone_one_after_the_other_the_last_first(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    some_that_wait(workflows)
    states = [rows()]
    jobs = []
    for priority in (7, 8):
        jobs.append(run_job(operator, work, "prioritize", options={"priority": priority}))
        states.append(rows())

    assert job_actions.create_undo(operator, jobs[0].pk).left_out == {"changed since then": 5}
    finished(operator, work, job_actions.create_undo(operator, jobs[1].pk))
    assert rows() == states[1]
    finished(operator, work, job_actions.create_undo(operator, jobs[0].pk))
    assert rows() == states[0]


def test_only_who_may_do_it_undoes_it_and_deleting_is_for_good(
    operator: Actor, workflows: Workflows, work: Work, make_user: Callable[..., Any]
) -> None:
    workflows(2, "SUCCESS")
    workflows(1, "PENDING")
    deleted = run_job(operator, work, "delete")
    with pytest.raises(ActionRefusedError, match="cannot be undone"):
        job_actions.create_undo(operator, deleted.pk)
    assert AuditEvent.objects.get(action="bulk_undo").outcome == "refused"
    job = run_job(operator, work, "cancel")
    other = Actor(make_user("viv", "dboshub_workflows.resume_workflow"))
    with pytest.raises(NotPermittedError):
        job_actions.create_undo(other, job.pk)
    assert AuditEvent.objects.get(action="bulk_undo", username="viv").outcome == "refused"
    with pytest.raises(ActionRefusedError, match="no such"):
        job_actions.create_undo(operator, job.pk + 1)


def test_a_stopped_job_is_undone_as_far_as_it_came(
    operator: Actor, workflows: Workflows, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "MAX_CHUNK", 2)
    workflows(6, "ENQUEUED", queue_name="mail", owner_xid=None)
    before = rows()
    job = job_actions.create_job(operator, "cancel")
    job_actions.start_job(operator, job.pk)
    with pytest.raises(ActionRefusedError, match="running"):
        job_actions.create_undo(operator, job.pk)
    work(2)
    job_actions.stop_job(operator, job.pk)

    undoing = finished(operator, work, job_actions.create_undo(operator, job.pk))

    assert (undoing.done, rows()) == (4, before)


def test_what_code_changed_since_is_not_put_back(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    [one] = workflows(1, "ENQUEUED", queue_name="mail")
    job = run_job(operator, work, "cancel")
    with atomic() as session:
        cancelling.cancel(session, [one], now=now_ms() + 5)
    undoing = job_actions.create_undo(operator, job.pk)
    assert undoing.left_out == {"changed since then": 1}


def test_ten_thousand_are_undone_in_few_statements_a_chunk(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    workflows(10_000, "ENQUEUED", queue_name="mail", owner_xid=None)
    before = rows()
    job = run_job(operator, work, "cancel")

    with CaptureQueriesContext(connection) as asked:
        undoing = finished(operator, work, job_actions.create_undo(operator, job.pk))

    assert (undoing.done, rows()) == (10_000, before)
    pages, worked = 10, 10_000 / chunks.MAX_CHUNK
    assert len(asked) < 30 * (pages + worked + 2)


def test_what_was_changed_is_forgotten_in_the_end(
    operator: Actor, workflows: Workflows, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflows(3, "ENQUEUED", queue_name="mail")
    job = run_job(operator, work, "cancel")
    Change.objects.filter(workflow_id="enqueued-00000").update(at=now_ms() - LASTS_MS - 1)
    monkeypatch.setattr("dboshub.workflows.bulk.retention._next_look", [0.0])
    assert forget_old_changes() == 1
    # Not at every turn.
    assert forget_old_changes() == 0
    assert Change.objects.count() == 2

    BulkJob.objects.filter(pk=job.pk).update(started_at=now_ms() - LASTS_MS - 1)
    with pytest.raises(ActionRefusedError, match="older than 30 days"):
        job_actions.create_undo(operator, job.pk)
