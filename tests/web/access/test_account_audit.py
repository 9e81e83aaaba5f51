"""Logins, logouts, changes of passwords and denials are in the audit log; and nobody can give
themselves rights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from dboshub.models import LoginAttempt
from dboshub.workflows.actions.audit import Actor, NotPermittedError
from dboshub.workflows.bulk import job_actions
from dboshub.workflows.models import AuditEvent, GroupScope, ScopeRule

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
VIEW = "dboshub_workflows.view_workflow"


def enter(client: Client, name: str, password: str) -> int:
    return client.post("/login/", {"username": name, "password": password}).status_code


def events() -> list[tuple[str, ...]]:
    found = AuditEvent.objects.order_by("pk")
    return [(each.username, each.action, each.target, each.outcome) for each in found]


def test_a_login_and_a_logout_are_recorded(client: Client, make_user: Callable[..., Any]) -> None:
    make_user("ada", VIEW)
    assert enter(client, "ada", PASSWORD) == 302
    client.post("/logout/")
    client.post("/logout/")
    assert events() == [("ada", "login", "ada", "done"), ("ada", "logout", "ada", "done")]
    assert AuditEvent.objects.first().address == "127.0.0.1"  # type: ignore[union-attr]


def test_the_admins_own_addresses_are_recorded_too(
    client: Client, make_user: Callable[..., Any]
) -> None:
    client.force_login(make_user("ada", VIEW, is_staff=True))
    assert client.get("/admin/password_change/")["Location"] == "/password/"
    client.post("/admin/logout/")
    assert events() == [("ada", "logout", "ada", "done")]


def test_refused_logins_are_recorded_up_to_the_limit(
    client: Client, make_user: Callable[..., Any], settings: Any
) -> None:
    settings.DBOSHUB_LOGIN_ATTEMPTS = 2
    make_user("ada", VIEW)
    assert [enter(client, "ada", "wrong") for _ in range(5)] == [200, 200, 429, 429, 429]
    assert events() == [("", "login", "ada", "refused")] * 3
    assert AuditEvent.objects.latest("pk").detail == {"refused": "too many attempts"}


def test_what_may_be_a_password_is_not_kept(client: Client) -> None:
    enter(client, "hunter2 typed into the wrong field", "ada")
    assert events() == [("", "login", "a name of no account", "refused")]


def test_own_success_clears_no_guesses_at_others(
    client: Client, make_user: Callable[..., Any], settings: Any
) -> None:
    settings.DBOSHUB_LOGIN_ATTEMPTS_PER_ADDRESS = 4
    make_user("mallory", VIEW)
    answers = []
    for number in range(6):
        answers.append(enter(client, f"victim-{number}", "password1"))
        enter(client, "mallory", PASSWORD)
    assert answers == [200, 200, 200, 200, 429, 429]


def test_logins_of_many_from_one_address_are_no_guesses(
    client: Client, make_user: Callable[..., Any], settings: Any
) -> None:
    settings.DBOSHUB_LOGIN_ATTEMPTS_PER_ADDRESS = 2
    for number in range(4):
        make_user(f"user-{number}", VIEW)
        assert enter(client, f"user-{number}", PASSWORD) == 302
    assert not LoginAttempt.objects.exists()


def test_one_ipv6_network_is_one_address(client: Client, settings: Any) -> None:
    settings.DBOSHUB_LOGIN_ATTEMPTS_PER_ADDRESS = 3
    answers = [
        client.post(
            "/login/",
            {"username": f"user-{number}", "password": "x"},
            REMOTE_ADDR=f"2001:db8::{number:x}:1",
        ).status_code
        for number in range(4)
    ]
    assert answers == [200, 200, 200, 429]


def test_a_stolen_session_cannot_guess_the_password(
    client: Client, make_user: Callable[..., Any], settings: Any
) -> None:
    settings.DBOSHUB_LOGIN_ATTEMPTS = 3
    client.force_login(make_user("ada", VIEW))
    new = {"new_password1": "staple of nine lives", "new_password2": "staple of nine lives"}
    answers = [
        client.post("/password/", {"old_password": "wrong"} | new).status_code for _ in range(4)
    ]
    assert answers == [200, 200, 200, 429]
    assert client.post("/password/", {"old_password": PASSWORD} | new).status_code == 429
    assert User.objects.get().check_password(PASSWORD)
    assert ("ada", "change_password", "ada", "refused") in events()
    LoginAttempt.objects.all().delete()
    assert client.post("/password/", {"old_password": PASSWORD} | new).status_code == 302
    assert events()[-1] == ("ada", "change_password", "ada", "done")


def test_a_denied_page_is_recorded_once_in_a_while(
    client: Client, make_user: Callable[..., Any]
) -> None:
    client.force_login(make_user("ada", VIEW))
    for _ in range(3):
        assert client.get("/audit/").status_code == 403
    assert events() == [("ada", "request", "GET /audit/", "refused")]


def test_a_denied_bulk_job_is_recorded(make_user: Callable[..., Any]) -> None:
    with pytest.raises(NotPermittedError):
        job_actions.create_job(Actor(make_user("ada", VIEW)), "cancel", ids=["w"])
    assert events() == [("ada", "bulk_freeze", "cancel", "refused")]


@pytest.fixture
def keeper(client: Client, make_user: Callable[..., Any]) -> User:
    """Who may change accounts and groups, and scope rules, and is no superuser."""
    rights = [f"auth.{verb}_{what}" for verb in ("add", "change", "delete", "view")
              for what in ("user", "group")]  # fmt: skip
    user: User = make_user("kim", VIEW, *rights, "dboshub_workflows.add_scoperule", is_staff=True)
    client.force_login(user)
    return user


def form_of(user: User, **more: Any) -> dict[str, Any]:
    dates = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00"}
    return {"username": user.username, "is_active": "on", **dates, **more}


def test_nobody_makes_themselves_superuser(client: Client, keeper: User) -> None:
    more = Permission.objects.get(codename="view_payload")
    group = Group.objects.get(name="DBOSHub operator")
    wanted = {"is_superuser": "on", "user_permissions": [more.pk], "groups": [group.pk]}
    answer = client.post(f"/admin/auth/user/{keeper.pk}/change/", form_of(keeper, **wanted))
    assert answer.status_code == 302
    after = User.objects.get(pk=keeper.pk)
    assert not after.is_superuser
    assert not after.has_perm("dboshub_workflows.view_payload")
    mine = Group.objects.create(name="mine")
    keeper.groups.add(mine)
    client.post(f"/admin/auth/group/{mine.pk}/change/", {"name": "mine", "permissions": [more.pk]})
    assert not User.objects.get(pk=keeper.pk).has_perm("dboshub_workflows.view_payload")


def test_nobody_takes_over_an_account_with_more_rights(
    client: Client, keeper: User, make_user: Callable[..., Any]
) -> None:
    limited = Group.objects.create(name="limited")
    GroupScope.objects.create(group=limited)
    keeper.groups.add(limited)
    stronger = [
        make_user("root", is_superuser=True),
        make_user("rea", "dboshub_workflows.view_payload"),
        make_user("off", "dboshub_workflows.view_payload", is_active=False),
        make_user("una", VIEW),
    ]
    new = {"password1": "staple of nine lives", "password2": "staple of nine lives"}
    for user in stronger:
        for page in ("password", "delete", "change"):
            sent = new | {"usable_password": "true", "post": "yes"}
            answer = client.post(f"/admin/auth/user/{user.pk}/{page}/", sent)
            assert answer.status_code == 403, (user, page)
        assert User.objects.get(pk=user.pk).check_password(PASSWORD)
    everybody = {"action": "delete_selected", "post": "yes"}
    chosen = {"_selected_action": [user.pk for user in stronger]}
    client.post("/admin/auth/user/", everybody | chosen)
    assert User.objects.count() == 1 + len(stronger)
    answer = client.post("/admin/dboshub_workflows/scoperule/add/", {"group": limited.pk})
    assert answer.status_code == 403
    assert not ScopeRule.objects.exists()


def test_an_account_without_rights_gets_a_new_password_and_a_row(
    client: Client, keeper: User, make_user: Callable[..., Any]
) -> None:
    user = make_user("new")
    new = {"password1": "staple of nine lives", "password2": "staple of nine lives"}
    sent = new | {"usable_password": "true"}
    assert client.post(f"/admin/auth/user/{user.pk}/password/", sent).status_code == 302
    assert User.objects.get(pk=user.pk).check_password("staple of nine lives")
    event = AuditEvent.objects.latest("pk")
    assert (event.username, event.action, event.target) == ("kim", "change", "new")
    assert "password" in str(event.detail)
