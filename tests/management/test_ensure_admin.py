"""The first start makes exactly one administrator, and tells the password once."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import AbstractBaseUser, User
from django.core.management import call_command
from django.core.management.base import CommandError

from dboshub.management.commands import ensure_admin as module

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBOSHUB_ADMIN_NAME", raising=False)
    monkeypatch.delenv("DBOSHUB_ADMIN_PASSWORD", raising=False)


def ensure_admin() -> str:
    told = StringIO()
    call_command("ensure_admin", stdout=told)
    return told.getvalue()


def test_the_printed_password_opens_the_door() -> None:
    found = re.search(r"Log in as (\S+) with the password (\S+)", ensure_admin())
    assert found
    user = authenticate(username=found[1], password=found[2])
    assert isinstance(user, User)
    assert user.is_superuser


def test_a_second_start_makes_nobody_and_says_what_to_do_about_a_lost_password() -> None:
    ensure_admin()
    assert ensure_admin().strip() == (
        "There is an administrator, 'admin'. A lost password: `manage.py changepassword admin`; "
        "another administrator: `manage.py createsuperuser`."
    )
    assert User.objects.count() == 1


def test_a_given_password_is_taken_and_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBOSHUB_ADMIN_NAME", "grace")
    monkeypatch.setenv("DBOSHUB_ADMIN_PASSWORD", "a bug in relay 70")
    assert "relay" not in ensure_admin()
    assert authenticate(username="grace", password="a bug in relay 70")


def test_a_weak_password_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBOSHUB_ADMIN_PASSWORD", "password")
    with pytest.raises(CommandError, match=r"DBOSHUB_ADMIN_PASSWORD will not do: .*too short"):
        ensure_admin()
    assert not User.objects.exists()


def test_nobody_is_promoted_by_having_the_name(make_user: Callable[..., Any]) -> None:
    make_user("admin")
    with pytest.raises(CommandError, match="DBOSHUB_ADMIN_NAME"):
        ensure_admin()
    assert not User.objects.filter(is_superuser=True).exists()


def test_a_user_model_without_superusers_is_left_to_its_project(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "get_user_model", lambda: AbstractBaseUser)
    with pytest.raises(CommandError, match="has no is_superuser"):
        ensure_admin()
