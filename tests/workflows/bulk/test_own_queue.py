"""What was cancelled goes back in line on the queue it came from, as far as anybody knows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from dboshub.queues.storage.limited_claim import claim_within_limits
from dboshub.workflows.actions import workflow_actions
from dboshub.workflows.actions.audit import Actor
from dboshub.workflows.bulk import job_actions
from dboshub.workflows.bulk.batch import NOT_KNOWN, UNKNOWN
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic, reading
from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.models import BulkJob, Workflow
from dboshub.workflows.selectors.changes import queues_left
from dboshub.workflows.selectors.rows import rows_by_id
from dboshub.workflows.storage.control import cancel as cancelling
from dboshub.workflows.storage.control import resume as resuming
from tests.queues.rows import claim_request, tokens
from tests.workflows.bulk.conftest import Workflows

pytestmark = pytest.mark.django_db
Work = Callable[..., int]


def run_job(actor: Actor, work: Work, verb: str, query: str = "", **how: Any) -> BulkJob:
    job = job_actions.create_job(actor, verb, query=query)
    job_actions.start_job(actor, job.pk, **how)
    work()
    job.refresh_from_db()
    return job


def queues() -> Counter[str | None]:
    return Counter(Workflow.objects.values_list("queue_name", flat=True))


def by_code(change: Callable[..., Any], *ids: str) -> None:
    with atomic() as session:
        change(session, ids, now=now_ms() + 1)


def left(*ids: str) -> dict[str, str]:
    with reading() as session:
        return queues_left(rows_by_id(session, ids).values())


def test_what_a_job_cancelled_goes_back_onto_the_queue_each_came_from(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    workflows(4, "ENQUEUED", queue_name="mail", priority=7, queue_partition_key="eu")
    workflows(3, "PENDING", queue_name="slow")
    workflows(2, "DELAYED", queue_name="mail")
    workflows(1, "PENDING", prefix="direct")
    assert run_job(operator, work, "cancel").done == 10
    assert queues() == {None: 10}

    job = job_actions.create_job(operator, "resume")
    assert job.plan == {"back onto mail": 6, "back onto slow": 3, "on no queue before": 1}
    job_actions.start_job(operator, job.pk, options={"queue": "own"})
    work()

    assert queues() == {"mail": 6, "slow": 3, INTERNAL_QUEUE: 1}
    assert {*Workflow.objects.values_list("status", flat=True)} == {"ENQUEUED"}
    kept = Workflow.objects.get(pk="enqueued-00000")
    assert (kept.priority, kept.queue_partition_key) == (7, "eu")


def test_what_is_resumed_keeps_to_the_limit_of_its_queue(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    from dboshub.queues.models import Queue

    Queue.objects.create(name="mail", concurrency=2)
    workflows(258, "ENQUEUED", queue_name="mail", owner_xid=None)
    run_job(operator, work, "cancel")
    assert run_job(operator, work, "resume", options={"queue": "own"}).done == 258

    request = claim_request(tokens(300), "mail")
    with atomic() as session:
        claimed = claim_within_limits(session, request).workflows
        assert claim_within_limits(session, request).limited

    assert len(claimed) == 2
    running = Workflow.objects.filter(status="PENDING")
    assert {*running.values_list("pk", flat=True)} == {each.workflow_id for each in claimed}


def test_a_single_cancel_remembers_the_queues_of_the_children_too(operator: Actor) -> None:
    from tests.workflows.actions.test_actions import workflow

    workflow("top", queue_name="mail")
    workflow("child", parent_workflow_id="top", queue_name="slow")
    workflow("idle", "CANCELLED", parent_workflow_id="top", queue_name=None, completed_at=5)

    workflow_actions.cancel(operator, "top", children=True)

    assert left("top", "child", "idle") == {"top": "mail", "child": "slow"}
    # It was cancelled before, so it is left as it was.
    assert Workflow.objects.get(pk="idle").completed_at == 5


def test_descendants_that_a_job_cancels_remember_their_queues(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    workflows(1, "PENDING", prefix="top", queue_name="mail")
    workflows(2, "ENQUEUED", prefix="below", parent_workflow_id="top-00000", queue_name="slow")

    run_job(operator, work, "cancel", "queue=mail", options={"children": True})

    assert left("top-00000", "below-00000", "below-00001") == {
        "top-00000": "mail",
        "below-00000": "slow",
        "below-00001": "slow",
    }


def test_what_code_cancelled_stays_unless_somebody_says_where_to(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    known, unknown = workflows(2, "ENQUEUED", queue_name="mail")
    workflow_actions.cancel(operator, known)
    by_code(cancelling.cancel, unknown)

    job = run_job(operator, work, "resume", options={"queue": "own", "unknown": ""})

    assert job.plan == {"back onto mail": 1, UNKNOWN: 1}
    assert (job.done, job.skipped) == (1, 1)
    assert job.items.get(workflow_id=unknown).note == NOT_KNOWN
    assert Workflow.objects.get(pk=unknown).status == "CANCELLED"

    run_job(
        operator, work, "resume", "status=CANCELLED", options={"queue": "own", "unknown": "now"}
    )
    assert Workflow.objects.get(pk=unknown).queue_name == INTERNAL_QUEUE


def test_a_memory_holds_only_for_the_cancellation_it_is_of(
    operator: Actor, workflows: Workflows
) -> None:
    [one] = workflows(1, "ENQUEUED", queue_name="mail")
    workflow_actions.cancel(operator, one)
    assert left(one) == {one: "mail"}

    by_code(resuming.resume, one)
    assert left(one) == {one: INTERNAL_QUEUE}
    by_code(cancelling.cancel, one)
    assert left(one) == {}


def test_forks_of_what_was_cancelled_go_onto_its_queue(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    [source] = workflows(1, "PENDING", queue_name="mail")
    workflow_actions.cancel(operator, source)

    job = run_job(operator, work, "fork_from_failure", options={"queue": "own"})

    assert Workflow.objects.get(pk=job.items.get().made).queue_name == "mail"
