"""What is changed through the admin site is in the audit log, whatever it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import reverse

from dboshub.queues.forms.limits import LIMITS
from dboshub.queues.models import Queue
from dboshub.workflows.models import AuditEvent, GroupScope, ScopeRule

pytestmark = pytest.mark.django_db

ADDRESS = "203.0.113.9"
PASSWORD = "staple of nine lives"
BLANK = dict.fromkeys(LIMITS, "") | {"polling_interval_sec": "1"}


@dataclass(frozen=True, slots=True)
class Edited:
    """How the admin's forms of one kind of thing are filled in, to add one and to change it."""

    added: Callable[[], dict[str, Any]]
    changed: Callable[[], dict[str, Any]]
    kind: str
    target: str
    # By which of the admin's actions several are deleted, if by any.
    at_once: str = "delete_selected"
    why: dict[str, str] = field(default_factory=dict)


def rule(application: str) -> dict[str, Any]:
    return {"group": Group.objects.get_or_create(name="crew")[0].pk, "application": application}


EDITED: dict[type[Model], Edited] = {
    Group: Edited(lambda: {"name": "crew"}, lambda: {"name": "crew"}, "group", "crew"),
    ScopeRule: Edited(lambda: rule("shop"), lambda: rule("shop"), "scope rule", "crew sees shop"),
    User: Edited(
        lambda: {
            "username": "eve",
            "usable_password": "true",
            "password1": PASSWORD,
            "password2": PASSWORD,
        },
        lambda: {
            "username": "eve",
            "is_superuser": "on",
            "date_joined_0": "2026-01-01",
            "date_joined_1": "00:00",
        },
        "user",
        "eve",
    ),
    Queue: Edited(
        lambda: BLANK | {"name": "q"},
        lambda: BLANK | {"concurrency": "4"},
        "queue",
        "q",
        at_once="",
        why={"reason": "because"},
    ),
}


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root"))
    return client


def address(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def newest(*expected: str) -> AuditEvent:
    event = AuditEvent.objects.latest("pk")
    found = (event.username, event.address, event.action, event.target_kind, event.target)
    assert found == ("root", ADDRESS, *expected)
    assert event.outcome == "done"
    return event


def test_the_table_names_all_that_can_be_edited(root: Client) -> None:
    request = RequestFactory().get("/")
    request.user = User.objects.get()
    can = {
        model
        for model, page in admin.site._registry.items()
        if any(page.get_model_perms(request)[each] for each in ("add", "change", "delete"))
    }
    # A first scope rule adds what can only be deleted: see test_scope_leaks.
    assert can == {*EDITED, GroupScope}


@pytest.mark.parametrize("model", EDITED, ids=lambda model: model.__name__)
def test_every_change_leaves_a_row_without_values(root: Client, model: type[Model]) -> None:
    how = EDITED[model]

    def post(page: str, data: dict[str, Any], *args: Any) -> None:
        answer = root.post(address(model, page, *args), data, REMOTE_ADDR=ADDRESS)
        assert answer.status_code == 302, answer.content.decode()

    post("add", how.added() | how.why)
    event = newest("add", how.kind, how.target)
    assert event.reason == how.why.get("reason", "")
    made = model._default_manager.latest("pk")
    post("change", how.changed() | how.why, made.pk)
    assert PASSWORD not in str(newest("change", how.kind, how.target).detail)
    post("delete", {"post": "yes"}, made.pk)
    newest("delete", how.kind, how.target)
    if how.at_once:
        post("add", how.added())
        made = model._default_manager.latest("pk")
        chosen = {"action": how.at_once, "_selected_action": made.pk, "post": "yes"}
        post("changelist", chosen)
        newest("delete", how.kind, how.target)
        assert not model._default_manager.filter(pk=made.pk).exists()


def test_a_password_that_is_set_for_another_leaves_a_row_without_it(root: Client) -> None:
    eve = User.objects.create_user("eve")
    answer = root.post(
        reverse("admin:auth_user_password_change", args=[eve.pk]),
        {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD},
        REMOTE_ADDR=ADDRESS,
    )
    assert answer.status_code == 302, answer.content.decode()
    assert PASSWORD not in str(newest("change", "user", "eve").detail)
    eve.refresh_from_db()
    assert eve.check_password(PASSWORD)
