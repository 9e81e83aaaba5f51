"""The set is fixed before anybody confirms it: what is in it, and what is left out and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dboshub.workflows.actions.audit import Actor, NotPermittedError
from dboshub.workflows.bulk import job_actions, target_set
from dboshub.workflows.clock import now_ms
from dboshub.workflows.models import BulkItem, BulkJob, Workflow
from tests.workflows.bulk.conftest import Workflows

pytestmark = pytest.mark.django_db


def ids_of(job: BulkJob) -> list[str]:
    return sorted(job.items.values_list("workflow_id", flat=True))


def test_a_filter_is_frozen_with_what_is_left_out_and_why(
    operator: Actor, workflows: Workflows
) -> None:
    failed = workflows(3, "ERROR") + workflows(2, "CANCELLED")
    workflows(4, "SUCCESS")
    workflows(1, "PENDING")
    workflows(2, "ERROR", prefix="forked", was_forked_from=True)
    workflows(2, "ERROR", prefix="other", name="refund")

    job = job_actions.create_job(operator, "fork_from_failure", query="name=charge")

    assert (job.state, job.total, job.is_capped) == ("frozen", 5, False)
    assert ids_of(job) == sorted(failed)
    assert job.left_out == {"succeeded": 4, "not ended yet": 1, "forked already": 2}
    assert Workflow.objects.filter(status="ENQUEUED").count() == 0


def test_what_comes_later_is_not_in_the_set(
    operator: Actor, workflows: Workflows, work: Callable[..., int]
) -> None:
    before = workflows(2, "ENQUEUED", queue_name="mail")
    job = job_actions.create_job(operator, "cancel", query="queue=mail")
    workflows(2, "ENQUEUED", prefix="late", queue_name="mail")

    job_actions.start_job(operator, job.pk)
    work()

    assert ids_of(job) == before
    assert Workflow.objects.filter(status="ENQUEUED").count() == 2


def test_checked_rows_are_frozen_without_those_that_are_gone(
    operator: Actor, workflows: Workflows
) -> None:
    checked = [*workflows(2, "PENDING"), *workflows(1, "SUCCESS"), "gone", "nul\x00"]

    job = job_actions.create_job(operator, "cancel", ids=checked)

    assert ids_of(job) == checked[:2]
    assert job.left_out == {"deleted, or not visible to you": 1, "ended already": 1}


def test_a_set_is_capped_and_says_so(
    operator: Actor, workflows: Workflows, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflows(25, "ERROR")
    monkeypatch.setattr(target_set, "MAX_ITEMS", 20)
    monkeypatch.setattr(target_set, "PAGE_SIZE", 8)

    job = job_actions.create_job(operator, "delete")

    assert (job.total, job.is_capped, job.state) == (20, True, "frozen")
    assert ids_of(job)[0] == "error-00005"


def test_a_large_set_is_collected_by_rounds_of_any_process(
    operator: Actor,
    workflows: Workflows,
    work: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = workflows(30, "ERROR")
    workflows(10, "SUCCESS")
    monkeypatch.setattr(target_set, "PAGE_SIZE", 7)
    monkeypatch.setattr(job_actions, "COLLECT_S", -1)
    job = job_actions.create_job(operator, "fork_from_failure")
    assert (job.state, job.total) == ("collecting", 0)

    work(2, owner="dies")
    BulkJob.objects.update(lease_until=0)
    work(owner="takes over")

    job.refresh_from_db()
    assert (job.state, ids_of(job)) == ("frozen", wanted)
    assert job.left_out == {"succeeded": 10}


def test_whoever_may_not_act_cannot_even_freeze(
    make_user: Callable[..., Any], workflows: Workflows
) -> None:
    workflows(1, "PENDING")
    watcher = Actor(make_user("eve", "dboshub_workflows.view_workflow"))

    with pytest.raises(NotPermittedError):
        job_actions.create_job(watcher, "cancel")

    assert not BulkJob.objects.exists()


def test_a_set_that_was_never_started_can_be_forgotten(
    operator: Actor, workflows: Workflows
) -> None:
    workflows(3, "ERROR")
    job = job_actions.create_job(operator, "delete")

    job_actions.discard_job(operator, job.pk)

    assert not BulkJob.objects.exists()
    assert Workflow.objects.count() == 3


def test_sets_that_nobody_confirmed_are_dropped_after_a_week(
    operator: Actor, workflows: Workflows, work: Callable[..., int]
) -> None:
    workflows(2, "ERROR")
    old, begun = (job_actions.create_job(operator, "fork_from_failure") for _ in range(2))
    job_actions.start_job(operator, begun.pk)
    BulkJob.objects.update(created_at=now_ms() - 8 * 86_400_000)

    fresh = job_actions.create_job(operator, "fork_from_failure")

    assert {*BulkJob.objects.values_list("pk", flat=True)} == {begun.pk, fresh.pk}
    assert not BulkItem.objects.filter(job_id=old.pk).exists()


def test_a_set_of_somebody_whose_account_is_gone_is_collected_no_further(
    operator: Actor,
    workflows: Workflows,
    work: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workflows(2, "ERROR")
    monkeypatch.setattr(job_actions, "COLLECT_S", -1)
    job = job_actions.create_job(operator, "delete")
    operator.user.delete()

    work()

    job.refresh_from_db()
    assert job.state == "stopped"
    assert "deleted or disabled" in job.note
