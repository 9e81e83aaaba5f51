"""A job acts on each item once, as its person may, and says what came of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dboshub.workflows.actions.audit import ActionRefusedError, Actor
from dboshub.workflows.bulk import chunks, job_actions
from dboshub.workflows.bulk.worker import run_round
from dboshub.workflows.models import AuditEvent, BulkItem, BulkJob, Step, Workflow, WorkflowInput
from dboshub.workflows.models.scope import ScopeRule
from tests.workflows.bulk.conftest import Workflows

pytestmark = pytest.mark.django_db
Work = Callable[..., int]


def states(job: BulkJob) -> dict[str, int]:
    return Counter(job.items.values_list("state", flat=True))


def started(actor: Actor, verb: str, query: str = "", **how: Any) -> BulkJob:
    job = job_actions.create_job(actor, verb, query=query)
    job_actions.start_job(actor, job.pk, **how)
    return job


def test_cancelling_all_leaves_a_result_and_an_audit_row_for_each(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    running = workflows(2, "PENDING") + workflows(3, "DELAYED")

    job = started(operator, "cancel", reason="bad deploy")
    work()

    job.refresh_from_db()
    assert (job.state, job.done, job.skipped, job.failed) == ("done", 5, 0, 0)
    assert {*Workflow.objects.values_list("status", "owner_xid")} == {("CANCELLED", None)}
    events = AuditEvent.objects.filter(action="cancel")
    assert sorted(event.target for event in events) == sorted(running)
    told = {(event.username, event.reason, event.outcome, event.address) for event in events}
    assert told == {("grace", "bad deploy", "done", "10.0.0.7")}
    assert {event.detail["bulk"] for event in events} == {job.pk}
    start = AuditEvent.objects.get(action="bulk_start")
    assert (start.target, start.reason, start.detail["items"]) == (str(job.pk), "bad deploy", 5)


def test_cancelling_with_children_takes_their_descendants_along(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    workflows(1, "PENDING", prefix="top")
    workflows(2, "DELAYED", prefix="below", parent_workflow_id="top-00000", name="child")

    job = started(operator, "cancel", "name=charge", options={"children": True})
    work()

    assert Workflow.objects.filter(status="CANCELLED").count() == 3
    assert job.items.get().note == "with 2 descendants"


def test_forks_go_on_at_the_failed_step_on_the_queue_each_came_from(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    queued, bare = workflows(1, queue_name="mail") + workflows(1, prefix="bare")
    for workflow_id in (queued, bare):
        WorkflowInput.objects.create(workflow_uuid=workflow_id, inputs="given")
    for number, error in ((1, None), (2, "broken"), (3, None)):
        Step.objects.create(
            workflow_uuid=queued, function_id=number, function_name=f"s{number}", error=error
        )

    job = started(operator, "fork_from_failure", options={"queue": "own"})
    work()

    forks = {item.workflow_id: Workflow.objects.get(pk=item.made) for item in job.items.all()}
    assert (forks[queued].queue_name, forks[queued].forked_from) == ("mail", queued)
    assert forks[bare].queue_name == "_dbos_internal_queue"
    steps = Step.objects.filter(workflow_uuid=forks[queued].pk)
    assert [step.function_name for step in steps] == ["s1"]
    notes = dict(job.items.values_list("workflow_id", "note"))
    assert notes == {queued: "from step 2 onto mail", bare: "from step 1 past every limit"}
    assert AuditEvent.objects.get(target=queued).detail["fork"] == forks[queued].pk


def test_a_parent_that_failed_with_its_children_awaits_their_forks(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    [top] = workflows(1, prefix="top")
    low = workflows(2, prefix="low", parent_workflow_id=top, name="child", queue_name="mail")
    [fine] = workflows(1, "SUCCESS", prefix="fine", parent_workflow_id=top, name="child")
    for each in (top, *low):
        WorkflowInput.objects.create(workflow_uuid=each, inputs="given")
    steps = [("child", each, None) for each in (*low, fine)] + [("DBOS.getResult", low[0], "no")]
    for number, (name, child, error) in enumerate(steps, start=1):
        Step.objects.create(
            workflow_uuid=top,
            function_id=number,
            function_name=name,
            child_workflow_id=child,
            error=error,
        )

    job = started(operator, "fork_from_failure", "name=charge&status=ERROR")
    work()

    made = job.items.get().made
    forks = dict(Workflow.objects.exclude(forked_from=None).values_list("forked_from", "pk"))
    assert {*forks} == {top, *low}
    awaited = Step.objects.filter(workflow_uuid=made).order_by("function_id")
    assert [*awaited.values_list("child_workflow_id", flat=True)] == [
        *(forks[each] for each in low),
        fine,
    ]
    queues = dict(Workflow.objects.filter(forked_from__in=low).values_list("pk", "queue_name"))
    assert {*queues.values()} == {"mail"}


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"start": "last"}, ["s1", "s2"]),
        ({"start": "number", "step": 2}, ["s1"]),
        ({"start": "name", "name": "s1"}, []),
        ({"start": "name", "name": "absent"}, None),
    ],
)
def test_forks_can_begin_elsewhere(
    operator: Actor,
    workflows: Workflows,
    work: Work,
    options: dict[str, Any],
    kept: list[str] | None,
) -> None:
    [source] = workflows(1)
    for number in (1, 2, 3):
        Step.objects.create(
            workflow_uuid=source, function_id=number, function_name=f"s{number}", error=None
        )

    job = started(operator, "fork_from_failure", options=options)
    work()

    item = job.items.get()
    if kept is None:
        assert (item.state, item.note) == ("skipped", "It recorded no step 'absent'.")
        return
    steps = Step.objects.filter(workflow_uuid=item.made).order_by("function_id")
    assert [step.function_name for step in steps] == kept


def test_resuming_puts_all_on_the_chosen_queue_and_leaves_what_it_would_never_run(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    from dboshub.queues.models import Queue

    Queue.objects.create(name="split", partition_queue=True, partition_concurrency=1)
    [keyless] = workflows(1, "CANCELLED")
    [keyed] = workflows(1, "CANCELLED", prefix="keyed", queue_partition_key="eu")

    job = started(operator, "resume", options={"queue": "split"})
    work()

    assert Workflow.objects.get(pk=keyed).queue_name == "split"
    assert Workflow.objects.get(pk=keyless).status == "CANCELLED"
    assert states(job) == {"done": 1, "skipped": 1}


def test_deleting_spares_what_has_an_active_descendant(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    kept, doomed = workflows(2, "SUCCESS")
    workflows(1, "PENDING", prefix="child", parent_workflow_id=kept)
    workflows(1, "ERROR", prefix="ended", parent_workflow_id=doomed, name="child")

    job = started(operator, "delete", "name=charge", options={"children": True})
    work()

    assert {*Workflow.objects.values_list("pk", flat=True)} == {kept, "child-00000"}
    assert job.items.get(workflow_id=kept).note == "A descendant of it is still active."


@pytest.mark.parametrize("verb", ["resume", "fork_from_failure", "delete"])
def test_what_moved_on_since_is_left_alone_and_audited_as_refused(
    operator: Actor, workflows: Workflows, work: Work, verb: str
) -> None:
    workflows(2, "CANCELLED")
    job = job_actions.create_job(operator, verb)
    Workflow.objects.filter(pk="cancelled-00000").update(status="PENDING")

    job_actions.start_job(operator, job.pk)
    work()

    assert Workflow.objects.get(pk="cancelled-00000").status == "PENDING"
    item = job.items.get(workflow_id="cancelled-00000")
    assert (item.state, item.note) == (
        "skipped",
        "PENDING now, CANCELLED when the set was fixed",
    )
    event = AuditEvent.objects.get(target="cancelled-00000")
    assert (event.outcome, event.detail["refused"]) == ("refused", item.note)


def test_what_merely_began_to_run_is_still_cancelled(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    workflows(1, "ENQUEUED", queue_name="mail")
    job = job_actions.create_job(operator, "cancel")
    Workflow.objects.update(status="PENDING")

    job_actions.start_job(operator, job.pk)
    work()

    assert Workflow.objects.get().status == "CANCELLED"


@pytest.mark.parametrize(
    ("verb", "count"),
    [("cancel", 10_000), ("resume", 300), ("delete", 300), ("fork_from_failure", 600)],
)
def test_ten_thousand_are_done_in_few_statements_a_chunk(
    operator: Actor, workflows: Workflows, work: Work, verb: str, count: int
) -> None:
    workflows(count, "ENQUEUED" if verb == "cancel" else "CANCELLED", queue_name="mail")
    job = job_actions.create_job(operator, verb)
    work(owner="collects")
    BulkJob.objects.update(lease_owner="")

    with CaptureQueriesContext(connection) as asked:
        job_actions.start_job(operator, job.pk)
        work()

    job.refresh_from_db()
    assert (job.state, job.done, job.total) == ("done", count, count)
    assert len(asked) < 50 * (count / chunks.MAX_CHUNK + 2)
    assert AuditEvent.objects.filter(outcome="done", target_kind="workflow").count() == count


def test_a_stop_holds_before_the_next_chunk_and_the_job_can_go_on(
    operator: Actor, workflows: Workflows, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "MAX_CHUNK", 4)
    workflows(10, "PENDING")
    job = started(operator, "cancel")
    work(1)

    job_actions.stop_job(operator, job.pk, reason="wait")
    assert work() == 0
    assert states(job) == {"done": 4, "waiting": 6}
    stopped = AuditEvent.objects.get(action="bulk_stop")
    assert (stopped.reason, stopped.detail["done"]) == ("wait", 4)

    job_actions.start_job(operator, job.pk)
    work()
    job.refresh_from_db()
    assert (job.state, job.done) == ("done", 10)


def test_the_rate_holds_whoever_works(
    operator: Actor, workflows: Workflows, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflows(10, "PENDING")
    clock = [5_000_000]
    monkeypatch.setattr(chunks, "now_ms", lambda: clock[0])
    monkeypatch.setattr("dboshub.workflows.bulk.worker.now_ms", lambda: clock[0])
    job = started(operator, "cancel", rate=2.0)

    done: list[int] = []
    for second in range(5):
        run_round(f"process {second}")
        run_round("another")
        BulkJob.objects.update(lease_until=0)
        clock[0] += 1_000
        done.append(states(job)["done"])

    assert done == [2, 4, 6, 8, 10]


def test_a_permission_lost_in_the_middle_stops_the_job_and_another_may_go_on(
    operator: Actor,
    workflows: Workflows,
    work: Work,
    make_user: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chunks, "MAX_CHUNK", 3)
    workflows(9, "PENDING")
    job = started(operator, "cancel")
    work(1)

    lost = Permission.objects.get(codename="cancel_workflow")
    operator.user.user_permissions.remove(lost)
    work()

    job.refresh_from_db()
    assert (job.state, states(job)) == ("stopped", {"done": 3, "waiting": 6})
    assert job.note == "grace lacks the permission dboshub_workflows.cancel_workflow now."
    assert AuditEvent.objects.get(action="bulk_stop").outcome == "refused"

    other = Actor(make_user("ada", "dboshub_workflows.cancel_workflow"))
    job_actions.start_job(other, job.pk)
    work()
    job.refresh_from_db()
    assert (job.state, job.done, job.username) == ("done", 9, "ada")
    acted = AuditEvent.objects.filter(action="cancel")
    assert Counter(acted.values_list("username", flat=True)) == {"grace": 3, "ada": 6}


def test_a_disabled_account_acts_no_more(operator: Actor, workflows: Workflows, work: Work) -> None:
    workflows(1, "PENDING")
    job = started(operator, "cancel")
    operator.user.is_active = False
    operator.user.save()

    work()

    job.refresh_from_db()
    assert (job.state, job.note) == ("stopped", "The account 'grace' was deleted or disabled.")
    assert Workflow.objects.get().status == "PENDING"


def test_one_bad_item_fails_alone_and_is_tried_again_on_demand(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    workflows(3)
    job = job_actions.create_job(operator, "fork_from_failure")
    bad = job.items.get(workflow_id="error-00001")
    [taken] = workflows(1, "SUCCESS", prefix="taken")
    good_id, bad.made = bad.made, taken
    bad.save()

    job_actions.start_job(operator, job.pk)
    work()

    assert states(job) == {"done": 2, "failed": 1}
    assert "ForkIdTaken" in job.items.get(state="failed").note

    BulkItem.objects.filter(pk=bad.pk).update(made=good_id)
    job_actions.retry_failed(operator, job.pk)
    work()
    job.refresh_from_db()
    assert (job.state, job.done, job.failed) == ("done", 3, 0)
    assert Workflow.objects.filter(forked_from__isnull=False).count() == 3


def test_a_queue_that_is_gone_stops_the_job(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    workflows(1, "CANCELLED")
    job = started(operator, "resume", options={"queue": "nowhere"})

    work()

    job.refresh_from_db()
    assert job.state == "stopped"
    assert job.note.startswith("The queue 'nowhere' was deleted")


def test_two_processes_never_work_on_one_job_at_a_time(
    operator: Actor, workflows: Workflows, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "MAX_CHUNK", 1)
    workflows(2, "PENDING")
    job = started(operator, "cancel")

    assert work(1, owner="one") == 1
    assert work(1, owner="two") == 0
    assert states(job)["done"] == 1


def test_a_job_is_only_done_what_its_state_allows(operator: Actor, workflows: Workflows) -> None:
    workflows(1, "PENDING")
    job = started(operator, "cancel")

    for act in (job_actions.start_job, job_actions.retry_failed, job_actions.discard_job):
        with pytest.raises(ActionRefusedError, match="running"):
            act(operator, job.pk)
    with pytest.raises(ActionRefusedError, match="no such"):
        job_actions.stop_job(operator, job.pk + 1)
    empty = job_actions.create_job(operator, "delete", query="name=absent")
    with pytest.raises(ActionRefusedError, match="empty"):
        job_actions.start_job(operator, empty.pk)


def test_what_a_person_may_no_more_see_is_left_alone(
    operator: Actor, workflows: Workflows, work: Work
) -> None:
    workflows(1, "PENDING", prefix="mine", application_name="shop")
    workflows(1, "PENDING", prefix="theirs", application_name="bank")
    job = started(operator, "cancel")
    group = Group.objects.create(name="shop people")
    ScopeRule.objects.create(group=group, application="shop")
    operator.user.groups.add(group)

    work()

    assert Workflow.objects.get(pk="theirs-00000").status == "PENDING"
    assert Workflow.objects.get(pk="mine-00000").status == "CANCELLED"
    assert job.items.get(workflow_id="theirs-00000").note == "deleted, or not visible to you"
