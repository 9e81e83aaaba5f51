"""The family of a workflow as a drawing: ancestors, children and forks, within bounds."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dboshub.workflows.connection import atomic, system_alias
from dboshub.workflows.models import ScopeRule, Workflow
from tests.support.runs import T0, add_workflow

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("viv", "dboshub_workflows.view_workflow"))
    return client


def add(*rows: tuple[str, str | None, str | None]) -> None:
    with atomic() as session:
        for name, parent, origin in rows:
            add_workflow(session, name, parent_workflow_id=parent, forked_from=origin)


def family(client: Client, workflow_id: str) -> str:
    response = client.get(reverse("dboshub:workflows:family", args=[workflow_id]))
    assert response.status_code == 200
    return response.content.decode()


def members(html: str) -> list[str]:
    return re.findall(r"<title>([^<]*)</title>\s*<svg", html)


def test_everybody_is_on_it_from_wherever_one_looks(viewer: Client) -> None:
    add(
        ("root", None, None),
        ("left", "root", None),
        ("right", "root", None),
        ("leaf", "left", None),
        ("again", None, "left"),
    )
    for start in ("root", "left", "leaf"):
        html = family(viewer, start)
        assert sorted(members(html)) == ["again", "leaf", "left", "right", "root"], start
        assert html.count("edge-started") == 3
        assert html.count("edge-forked") == 1
        assert html.count('aria-current="true"') == 1
    assert sorted(members(family(viewer, "again"))) == ["again", "leaf", "left"]


def test_children_stand_to_the_right_of_their_parent_and_apart(viewer: Client) -> None:
    add(("root", None, None), *((f"c{number}", "root", None) for number in range(3)))
    places = re.findall(r'<svg x="(\d+)" y="(\d+)" width="208"', family(viewer, "root"))
    assert places == [("0", "44"), ("264", "0"), ("264", "44"), ("264", "88")]


def test_a_large_family_is_cut_and_says_so_in_few_statements(viewer: Client) -> None:
    add(("root", None, None))
    Workflow.objects.bulk_create(
        Workflow(
            workflow_uuid=f"c{number}",
            status="SUCCESS",
            name="child",
            created_at=T0,
            updated_at=T0,
            parent_workflow_id="root",
        )
        for number in range(400)
    )
    with CaptureQueriesContext(connections[system_alias()]) as seen:
        html = family(viewer, "c399")
    assert len(members(html)) == 150
    assert "c399" in members(html)
    assert "Not all are shown" in html
    assert len(seen) < 30


def test_a_loop_of_ancestors_ends(viewer: Client) -> None:
    add(("a", "b", None), ("b", "a", None), ("self", "self", "self"))
    assert "a" in members(family(viewer, "a"))
    assert members(family(viewer, "self")) == ["self"]


def test_relatives_out_of_scope_are_not_drawn(
    viewer: Client, make_user: Callable[..., Any]
) -> None:
    add(("root", None, None))
    with atomic() as session:
        add_workflow(session, "secret", application_name="bank", parent_workflow_id="root")
    user = make_user("sam", "dboshub_workflows.view_workflow")
    group = Group.objects.create(name="shop")
    ScopeRule.objects.create(group=group, application="shop")
    user.groups.add(group)
    viewer.force_login(user)
    assert members(family(viewer, "root")) == ["root"]
