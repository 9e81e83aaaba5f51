"""Saved views: a filter under a name, for oneself or, by those who may, for everybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from dboshub.models import SavedView
from dboshub.web.saved_views import MOST
from dboshub.workflows.models import AuditEvent

pytestmark = pytest.mark.django_db

LIST = "/workflows/"
VIEW = "dboshub_workflows.view_workflow"


@pytest.fixture
def ada(make_user: Callable[..., Any]) -> Client:
    return signed_in(make_user("ada", VIEW))


@pytest.fixture
def admin(make_user: Callable[..., Any]) -> Client:
    return signed_in(make_user("grace", VIEW, "dboshub.share_view"))


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def save(client: Client, name: str, query: str = "status=failed", **more: str) -> Any:
    given = {"page": "workflows", "name": name, "query": query, **more}
    return client.post("/views/save/", given, follow=True)


def shown(client: Client, address: str = LIST) -> str:
    page = client.get(address).content.decode()
    return page.partition('aria-label="Saved views"')[2].partition("</nav>")[0]


def test_a_saved_view_stands_above_the_list_and_says_when_it_is_open(ada: Client) -> None:
    said = save(ada, "Broken", "status=failed&since=24h&after=1~all~x").content.decode()
    assert "Saved the view Broken." in said
    assert 'href="?status=failed&amp;since=24h"' in shown(ada)
    assert "aria-current" not in shown(ada)
    assert 'aria-current="true"' in shown(ada, f"{LIST}?since=24h&status=failed")


def test_a_view_is_its_owner_s_alone(ada: Client, make_user: Callable[..., Any]) -> None:
    save(ada, "Broken")
    eve = signed_in(make_user("eve", VIEW))
    assert "Broken" not in shown(eve)
    view = SavedView.objects.get()
    assert eve.post(f"/views/{view.pk}/delete/").status_code == 404
    assert SavedView.objects.exists()


def test_only_those_who_may_share_a_view_do(ada: Client, admin: Client) -> None:
    save(ada, "Mine", is_shared="on")
    assert "Mine" not in shown(admin)
    save(admin, "Ours", is_shared="on")
    assert "Ours" in shown(ada)
    assert "For everybody" in shown(admin, f"{LIST}?name=x")
    assert "For everybody" not in shown(ada, f"{LIST}?name=x")
    ours = SavedView.objects.get(name="Ours")
    assert ada.post(f"/views/{ours.pk}/delete/").status_code == 404
    assert admin.post(f"/views/{ours.pk}/delete/").status_code == 302
    assert "Ours" not in shown(ada)


def test_the_log_knows_who_made_and_who_deleted_a_view(admin: Client) -> None:
    save(admin, "Ours", is_shared="on")
    admin.post(f"/views/{SavedView.objects.get().pk}/delete/")
    events = AuditEvent.objects.order_by("pk")
    told = [(each.username, each.action, each.target, each.detail) for each in events]
    assert told == [
        ("grace", "save", "Ours", {"shared": True}),
        ("grace", "delete", "Ours", {"shared": True}),
    ]


def test_a_view_saved_again_is_replaced(ada: Client) -> None:
    save(ada, "Broken")
    save(ada, "Broken", "status=ERROR")
    assert [view.query for view in SavedView.objects.all()] == ["status=ERROR"]


def test_there_is_an_end_to_views(ada: Client) -> None:
    for number in range(MOST):
        save(ada, f"View {number}")
    assert "delete one first" in save(ada, "One more").content.decode()
    assert SavedView.objects.count() == MOST


@pytest.mark.parametrize("given", [{"name": ""}, {"name": "x" * 61}, {"page": "elsewhere"}])
def test_what_is_no_view_is_refused_in_words(ada: Client, given: dict[str, str]) -> None:
    response = save(ada, **{"name": "Broken", **given})
    assert "banner s-error" in response.content.decode()
    assert not SavedView.objects.exists()


def test_whoever_may_not_see_workflows_saves_no_views(make_user: Callable[..., Any]) -> None:
    eve = signed_in(make_user("eve"))
    assert save(eve, "Broken").status_code == 403
    assert eve.get("/views/save/").status_code == 405
