"""What is of another application can be neither seen nor used, also where a row names it
indirectly: queues, schedules without an owner, executors, the audit log, the admin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db.models import ProtectedError
from django.test import Client

from dboshub.queues.models import Queue
from dboshub.schedules import actions as schedule_actions
from dboshub.schedules import definition_actions
from dboshub.schedules.models import Schedule
from dboshub.workflows.actions import executor_actions, workflow_actions
from dboshub.workflows.actions.audit import ActionRefusedError, Actor, record
from dboshub.workflows.actions.start_request import StartRequest
from dboshub.workflows.actions.starting import start
from dboshub.workflows.bulk import job_actions
from dboshub.workflows.bulk.worker import run_round
from dboshub.workflows.connection import atomic
from dboshub.workflows.models import (
    ApplicationVersion,
    AuditEvent,
    BulkJob,
    GroupScope,
    ScopeRule,
    Workflow,
)
from dboshub.workflows.selectors.scope import EVERYTHING, viewer_for
from tests.support.runs import add_workflow, pickled

pytestmark = pytest.mark.django_db

W, Q, S = "dboshub_workflows", "dboshub_queues", "dboshub_schedules"
RIGHTS = (
    *(f"{W}.view_workflow", f"{W}.resume_workflow", f"{W}.fork_workflow", f"{W}.start_workflow"),
    *(f"{W}.cancel_workflow", f"{W}.view_auditevent", f"{W}.adopt_executor"),
    *(f"{Q}.view_queue", f"{Q}.change_queue", f"{S}.view_schedule", f"{S}.change_schedule"),
)


def fresh(user: Any) -> Any:
    """The user as the next request loads it."""
    return type(user).objects.get(pk=user.pk)


@pytest.fixture
def group(db: None) -> Group:
    return Group.objects.create(name="team shop")


@pytest.fixture
def sam(make_user: Callable[..., Any], group: Group) -> Any:
    user = make_user("sam", *RIGHTS, is_staff=True)
    user.groups.add(group)
    ScopeRule.objects.create(group=group, application="shop")
    return fresh(user)


@pytest.fixture
def queues(db: None) -> None:
    for name, application in (("mine", "shop"), ("theirs", "bank"), ("nobodys", None)):
        Queue.objects.create(name=name, application_name=application)


@pytest.mark.parametrize("queue", ["theirs", "nobodys"])
def test_a_queue_of_others_takes_nothing(sam: Any, queues: None, queue: str) -> None:
    actor = Actor(sam)
    with atomic() as session:
        add_workflow(session, "w", "CANCELLED", application_name="shop")
    refused = [
        lambda: start(actor, StartRequest(name="pay", application="shop", queue=queue)),
        lambda: workflow_actions.resume(actor, "w", queue=queue),
        lambda: workflow_actions.fork(actor, "w", start_step=1, queue=queue),
    ]
    for act in refused:
        with pytest.raises(ActionRefusedError, match="There is no queue"):
            act()
    assert not Workflow.objects.filter(queue_name=queue).exists()
    workflow_actions.resume(actor, "w", queue="mine")


def test_a_bulk_job_stops_before_a_queue_of_others(sam: Any, queues: None) -> None:
    with atomic() as session:
        add_workflow(session, "w", "CANCELLED", application_name="shop")
    job = job_actions.create_job(Actor(sam), "resume", ids=["w"])
    job_actions.start_job(Actor(sam), job.pk, options={"queue": "theirs"})
    run_round("a test")
    job = BulkJob.objects.get()
    assert (job.state, job.done) == (BulkJob.State.STOPPED, 0)
    assert "may not see it" in job.note
    assert Workflow.objects.get().status == "CANCELLED"


def test_no_form_offers_a_queue_of_others(client: Client, sam: Any, queues: None) -> None:
    client.force_login(sam)
    with atomic() as session:
        add_workflow(session, "w", "CANCELLED", application_name="shop")
    pages = ("/workflows/do/resume/w", "/workflows/start/pay?app=shop", "/schedules/new")
    for page in pages:
        html = client.get(page).content.decode()
        assert "mine" in html, page
        assert "theirs" not in html, page
        assert "nobodys" not in html, page


def test_without_its_last_rule_a_group_sees_nothing(sam: Any, group: Group) -> None:
    ScopeRule.objects.all().delete()
    assert not any(viewer_for(fresh(sam)).may_see(each) for each in ("shop", "bank", None))
    with pytest.raises(ProtectedError):
        group.delete()
    GroupScope.objects.get(group=group).delete()
    assert viewer_for(fresh(sam)) is EVERYTHING


def test_a_group_whose_rule_moved_to_another_sees_nothing(sam: Any, group: Group) -> None:
    rule = ScopeRule.objects.get()
    rule.group = Group.objects.create(name="another")
    rule.save()
    assert not viewer_for(fresh(sam)).may_see("shop")


def test_only_a_superuser_lifts_a_limit(
    client: Client, sam: Any, group: Group, make_user: Callable[..., Any]
) -> None:
    limit = GroupScope.objects.get(group=group)
    address = f"/admin/{W}/groupscope/{limit.pk}/delete/"
    client.force_login(make_user("ann", f"{W}.delete_groupscope", is_staff=True))
    assert client.post(address, {"post": "yes"}).status_code == 403
    client.force_login(make_user("root", is_superuser=True, is_staff=True))
    ScopeRule.objects.all().delete()
    assert client.post(address, {"post": "yes"}).status_code == 302
    assert not GroupScope.objects.exists()
    assert AuditEvent.objects.filter(target_kind="limited group", action="delete").exists()


def versions(*applications: str) -> None:
    for at, application in enumerate(applications):
        named = {"version_id": application, "version_name": application}
        ApplicationVersion.objects.create(
            **named, version_timestamp=at, application_name=application
        )


def schedule(name: str, application: str | None) -> None:
    named = {"schedule_id": name, "schedule_name": name, "workflow_name": "pay"}
    Schedule.objects.create(
        **named, schedule="* * * * *", application_name=application, context=pickled(None)
    )


def test_a_schedule_without_an_application_does_not_become_anothers(sam: Any, group: Group) -> None:
    ScopeRule.objects.create(group=group, application="")
    actor = Actor(fresh(sam))
    schedule("s", None)
    versions("bank")
    with pytest.raises(ActionRefusedError, match="none of yours"):
        schedule_actions.trigger(actor, "s")
    given = {"name": "new", "workflow": "pay", "cron": "* * * * *", "timezone": "", "queue": ""}
    wanted = definition_actions.draft(given | {"backfill": False, "application": ""})
    definition_actions.create(actor, wanted)
    assert Schedule.objects.get(schedule_name="new").application_name is None
    versions("shop")
    run = schedule_actions.trigger(actor, "s")
    assert Workflow.objects.get(pk=run).application_name == "shop"


def test_an_adoption_takes_no_workflow_that_the_actor_may_not_see(sam: Any) -> None:
    with atomic() as session:
        for workflow_id, application in (("mine", "shop"), ("nobodys", None)):
            add_workflow(
                session, workflow_id, "PENDING", application_name=application, executor_id="vm"
            )
    assert executor_actions.adopt(Actor(sam), "vm", application="shop") == 1
    assert Workflow.objects.get(pk="nobodys").status == "PENDING"


def test_the_audit_log_shows_what_is_in_scope_and_what_one_did(
    client: Client, sam: Any, make_user: Callable[..., Any]
) -> None:
    root = make_user("root", is_superuser=True)
    with atomic() as session:
        for workflow_id, application in (("w-shop", "shop"), ("w-bank", "bank")):
            add_workflow(session, workflow_id, "PENDING", application_name=application)
    for workflow_id in ("w-shop", "w-bank"):
        workflow_actions.cancel(Actor(root), workflow_id, reason=f"reason of {workflow_id}")
    record(Actor(root), "change", "user", "account-of-root")
    record(Actor(sam), "export", "workflows", "own-export")
    client.force_login(sam)
    pages = ("/audit/", "/audit/?kind=workflow", f"/admin/{W}/auditevent/")
    for page in pages:
        html = client.get(page).content.decode()
        assert "reason of w-shop" in html, page
        assert "w-bank" not in html, page
        assert "account-of-root" not in html, page
        assert ("own-export" in html) == ("kind" not in page), page
    other = AuditEvent.objects.get(target="w-bank")
    assert client.get(f"/admin/{W}/auditevent/{other.pk}/change/").status_code != 200
    client.force_login(root)
    assert "reason of w-bank" in client.get("/audit/").content.decode()


def test_the_admin_lists_queues_and_counts_schedules_in_scope(
    client: Client, sam: Any, queues: None
) -> None:
    client.force_login(sam)
    html = client.get(f"/admin/{Q}/queue/").content.decode()
    assert "mine" in html
    assert "theirs" not in html
    theirs = Queue.objects.get(name="theirs")
    assert client.get(f"/admin/{Q}/queue/{theirs.pk}/change/").status_code != 200
    schedule("a", "bank")
    schedule("b", "bank")
    schedule("c", "shop")
    pills = client.get("/schedules/").context["pills"]
    assert [number for token, _, number in pills if not token] == [1]
