"""People of a group with scope rules see the applications named there, and no others exist."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from dboshub.workflows.actions import workflow_actions
from dboshub.workflows.actions.audit import ActionRefusedError, Actor
from dboshub.workflows.actions.start_request import StartRequest
from dboshub.workflows.actions.starting import start
from dboshub.workflows.connection import atomic
from dboshub.workflows.live.subscriptions import scope_of
from dboshub.workflows.models import ScopeRule, Workflow
from dboshub.workflows.selectors.scope import EVERYTHING, viewer_for
from tests.support.runs import add_step, add_workflow

pytestmark = pytest.mark.django_db

VIEW = "dboshub_workflows.view_workflow"
ALL = (
    VIEW,
    "dboshub_workflows.cancel_workflow",
    "dboshub_workflows.start_workflow",
    "dboshub_schedules.view_schedule",
)


@pytest.fixture
def scoped(make_user: Callable[..., Any]) -> Callable[..., Any]:
    """Somebody who sees these applications only; "" stands for rows that name none."""

    def make(*applications: str, name: str = "sam", **fields: Any) -> Any:
        user = make_user(name, *ALL, **fields)
        group = Group.objects.create(name=f"team of {name}")
        user.groups.add(group)
        ScopeRule.objects.bulk_create(
            ScopeRule(group=group, application=each) for each in applications
        )
        return user

    return make


@pytest.fixture
def runs() -> None:
    with atomic() as session:
        add_workflow(session, "of-shop", "PENDING", application_name="shop")
        add_workflow(session, "of-bank", "PENDING", application_name="bank")
        add_workflow(session, "of-none", "PENDING", application_name=None)
        add_workflow(
            session, "child", "PENDING", application_name="bank", parent_workflow_id="of-shop"
        )
        add_step(session, "of-shop", 1, "pay", child="child")


@pytest.mark.parametrize(
    ("applications", "seen"),
    [
        (("shop",), {"of-shop"}),
        (("shop", ""), {"of-shop", "of-none"}),
        (("shop", "bank"), {"of-shop", "of-bank", "child"}),
        (("nothing",), set()),
    ],
)
def test_lists_pages_and_the_admin_show_what_is_in_scope(
    client: Client,
    scoped: Callable[..., Any],
    runs: None,
    applications: tuple[str, ...],
    seen: set[str],
) -> None:
    client.force_login(scoped(*applications, is_staff=True))
    every = {"of-shop", "of-bank", "of-none", "child"}
    for url in ("/workflows/", reverse("admin:dboshub_workflows_workflow_changelist")):
        html = client.get(url).content.decode()
        assert {each for each in every if f">{each}<" in html or f"/{each}/" in html} == seen, url
    for each in every:
        status = client.get(reverse("dboshub:workflows:detail", args=[each])).status_code
        assert status == (200 if each in seen else 404)


def test_a_child_of_another_application_is_not_told_of(
    client: Client, scoped: Callable[..., Any], runs: None
) -> None:
    client.force_login(scoped("shop"))
    with atomic() as session:
        add_workflow(session, "fork", application_name="bank", forked_from="of-shop")
    html = client.get(reverse("dboshub:workflows:detail", args=["of-shop"])).content.decode()
    assert "fork</" not in html


def test_actions_reach_no_other_application(scoped: Callable[..., Any], runs: None) -> None:
    actor = Actor(scoped("shop"))
    for workflow_id in ("of-bank", "of-none"):
        with pytest.raises(ActionRefusedError, match="There is no workflow"):
            workflow_actions.cancel(actor, workflow_id)
    with pytest.raises(ActionRefusedError, match="applications you may not see"):
        workflow_actions.cancel(actor, "of-shop", children=True)
    for application in ("bank", None):
        with pytest.raises(ActionRefusedError, match="You may not start"):
            start(actor, StartRequest(name="pay", application=application))
    assert set(Workflow.objects.values_list("status", flat=True)) == {"PENDING"}
    workflow_actions.cancel(actor, "of-shop")


def test_who_has_no_rule_and_who_is_superuser_sees_everything(
    scoped: Callable[..., Any], make_user: Callable[..., Any]
) -> None:
    assert viewer_for(make_user("una", VIEW)) is EVERYTHING
    assert viewer_for(scoped(name="una2")) is EVERYTHING
    assert viewer_for(scoped("shop", name="root", is_superuser=True)) is EVERYTHING


def test_topics_carry_the_scope(scoped: Callable[..., Any]) -> None:
    assert scope_of(scoped("shop", "", name="sam")) == ("", "shop")
    assert scope_of(scoped("bank", name="bob")) == ("bank",)


def test_the_rules_of_several_groups_add_up(scoped: Callable[..., Any]) -> None:
    user = scoped("shop")
    other = Group.objects.create(name="bankers")
    ScopeRule.objects.create(group=other, application="bank")
    user.groups.add(other)
    assert viewer_for(user).applications == {"shop", "bank"}
