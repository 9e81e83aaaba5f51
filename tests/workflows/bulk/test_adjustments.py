"""What waits is moved to a version, gets a priority or a delay, and nothing else is touched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dboshub.workflows.actions.audit import Actor
from dboshub.workflows.bulk import chunks, job_actions
from dboshub.workflows.clock import now_ms
from dboshub.workflows.models import ApplicationVersion, AuditEvent, BulkJob, Workflow
from tests.workflows.bulk.conftest import Workflows

pytestmark = pytest.mark.django_db
Work = Callable[..., int]


def run_job(actor: Actor, work: Work, verb: str, query: str = "", **options: Any) -> BulkJob:
    job = job_actions.create_job(actor, verb, query=query)
    work()
    job_actions.start_job(actor, job.pk, options=options)
    work()
    job.refresh_from_db()
    return job


def add_version(name: str, application: str | None) -> None:
    given = {"version_timestamp": 1, "created_at": 1, "application_name": application}
    ApplicationVersion.objects.create(
        version_id=f"{name} {application}", version_name=name, **given
    )


def values(*names: str) -> Counter[Any]:
    return Counter(Workflow.objects.values_list(*names))


def test_what_waits_is_moved_to_a_version_of_its_application(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    add_version("v2", "shop")
    workflows(2, "ENQUEUED", application_name="shop", application_version="v1", queue_name="q")
    workflows(1, "DELAYED", application_version="v1", queue_name="q")
    workflows(1, "ENQUEUED", prefix="bank", application_name="bank", queue_name="q")
    workflows(1, "PENDING", application_name="shop", application_version="v1")
    workflows(1, "SUCCESS", application_name="shop", application_version="v1")

    draft = job_actions.create_job(operator, "move")
    assert draft.plan == {"with version v1": 3, "with no version": 1}
    assert draft.left_out == {"running: it waits for nothing": 1, "ended already": 1}
    job = run_job(operator, work, "move", version="v2")

    assert (job.done, job.skipped) == (3, 1)
    assert job.items.get(state="skipped").note == "its application has no version v2"
    assert values("application_version", "status") == {
        ("v2", "ENQUEUED"): 2,
        ("v2", "DELAYED"): 1,
        (None, "ENQUEUED"): 1,
        ("v1", "PENDING"): 1,
        ("v1", "SUCCESS"): 1,
    }
    assert AuditEvent.objects.filter(action="move", outcome="done").count() == 3


def test_a_version_of_no_application_is_for_all_and_none_is_for_the_latest(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    add_version("v2", None)
    workflows(1, "ENQUEUED", application_name="shop", queue_name="q")
    assert run_job(operator, work, "move", version="v2").done == 1
    assert values("application_version") == {("v2",): 1}
    assert run_job(operator, work, "move", version="").done == 1
    assert values("application_version") == {(None,): 1}
    assert run_job(operator, work, "move", version="absent").skipped == 1


def test_priorities_change_where_the_line_is(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    workflows(2, "ENQUEUED", queue_name="q", priority=5)
    workflows(1, "DELAYED", queue_name="q")
    workflows(1, "PENDING", priority=5)

    job = run_job(operator, work, "prioritize", priority=1)

    assert (job.done, job.plan) == (3, {"with priority 5": 2, "with priority 0": 1})
    assert values("status", "priority") == {
        ("ENQUEUED", 1): 2,
        ("DELAYED", 1): 1,
        ("PENDING", 5): 1,
    }


def test_many_priorities_are_counted_and_the_rest_is_said(
    operator: Actor, workflows: Workflows
) -> None:
    from dboshub.workflows.rendering.bulk import MAX_PLANS, show_job

    for number in range(MAX_PLANS + 3):
        workflows(1, "ENQUEUED", prefix=f"p{number}", queue_name="q", priority=number)
    shown = show_job(job_actions.create_job(operator, "prioritize")).plan
    assert (len(shown), shown[-1]) == (MAX_PLANS + 1, "3 otherwise")


def test_a_delay_is_set_replaced_and_removed(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    workflows(2, "ENQUEUED", queue_name="q")
    workflows(1, "DELAYED", queue_name="q", delay_until_epoch_ms=5)
    workflows(1, "DELAYED", prefix="suspended", started_at_epoch_ms=5, delay_until_epoch_ms=5)
    begun = now_ms()

    job = run_job(operator, work, "delay", seconds=600.0)

    assert (job.done, job.skipped) == (3, 1)
    assert job.plan == {"due": 2, "delayed already": 2}
    due = Workflow.objects.filter(started_at_epoch_ms=None)
    assert {*due.values_list("status", "queue_name")} == {("DELAYED", "q")}
    for until in due.values_list("delay_until_epoch_ms", flat=True):
        assert begun + 600_000 <= until <= now_ms() + 600_000

    job = run_job(operator, work, "end_delay")
    assert (job.done, job.skipped) == (3, 1)
    assert {*due.values_list("status", flat=True)} == {"ENQUEUED"}
    assert Workflow.objects.get(pk="suspended-00000").status == "DELAYED"


def test_the_end_of_a_delay_frees_the_id_of_a_debounced_workflow_alone(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    workflows(1, "DELAYED", prefix="a", queue_name="q", deduplication_id="a", is_debounced=True)
    workflows(1, "DELAYED", prefix="b", queue_name="q", deduplication_id="b")
    run_job(operator, work, "end_delay")
    assert values("deduplication_id") == {(None,): 1, ("b",): 1}


def test_what_merely_became_due_since_is_moved_all_the_same(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    workflows(1, "DELAYED", queue_name="q")
    job = job_actions.create_job(operator, "prioritize")
    Workflow.objects.update(status="ENQUEUED")
    job_actions.start_job(operator, job.pk, options={"priority": 3})
    work()
    assert values("priority") == {(3,): 1}

    undoing = job_actions.create_undo(operator, job.pk)
    job_actions.start_job(operator, undoing.pk)
    work()
    assert values("status", "priority") == {("ENQUEUED", 0): 1}


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("move", {"version": ""}),
        ("prioritize", {"priority": 4}),
        ("delay", {"seconds": 60.0}),
        ("end_delay", {}),
        ("resume", {"queue": "own"}),
    ],
)
def test_two_thousand_are_changed_in_few_statements_a_chunk(
    operator: Actor, workflows: Workflows, work: Work, verb: str, options: dict[str, Any]
) -> None:
    workflows(2_000, "DELAYED" if verb == "end_delay" else "ENQUEUED", queue_name="mail")
    job = job_actions.create_job(operator, verb)
    work()

    with CaptureQueriesContext(connection) as asked:
        job_actions.start_job(operator, job.pk, options=options)
        work()

    job.refresh_from_db()
    assert (job.state, job.done) == ("done", 2_000)
    assert len(asked) < 25 * (2_000 / chunks.MAX_CHUNK + 2)


def test_a_rate_per_minute_is_kept(
    operator: Actor, workflows: Workflows, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflows(3, "CANCELLED")
    clock = [5_000_000]
    for module in ("chunks", "worker"):
        monkeypatch.setattr(f"dboshub.workflows.bulk.{module}.now_ms", lambda: clock[0])
    job = job_actions.create_job(operator, "resume")
    job_actions.start_job(operator, job.pk, options={"queue": ""}, rate=30 / 60)

    done = []
    for _ in range(5):
        work()
        done.append(job.items.filter(state="done").count())
        clock[0] += 1_000

    assert done == [1, 1, 2, 2, 3]
