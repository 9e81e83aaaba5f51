"""Guessing passwords is slow, from one address and from many, and no header makes it quick."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from dboshub.models import LoginAttempt
from dboshub.standalone.middleware import ForwardedAddress
from dboshub.workflows.connection import atomic
from dboshub.workflows.models import AuditEvent
from tests.support.runs import add_workflow
from tests.web.access.test_permissions import ALL

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
PROXY = "dboshub.standalone.middleware.ForwardedAddress"


@pytest.fixture(autouse=True)
def limits(settings: Any, make_user: Callable[..., Any]) -> None:
    settings.DBOSHUB_LOGIN_ATTEMPTS = 3
    settings.DBOSHUB_LOGIN_ATTEMPTS_PER_ADDRESS = 6
    make_user("ada", "dboshub_workflows.view_workflow", "dboshub_workflows.cancel_workflow")


@pytest.fixture
def behind_a_proxy(settings: Any) -> None:
    settings.DBOSHUB_BEHIND_PROXY = True
    settings.MIDDLEWARE = [PROXY, *settings.MIDDLEWARE]


def enter(
    client: Client, name: str = "ada", password: str = "wrong", address: str = "", **headers: str
) -> Any:
    sent = {"username": name, "password": password}
    where = {"REMOTE_ADDR": address} if address else {}
    return client.post("/login/", sent, headers=headers, **where)


def test_after_some_wrong_guesses_even_the_right_one_must_wait(client: Client) -> None:
    for _ in range(3):
        assert enter(client).status_code == 200
    refused = enter(client, password=PASSWORD)
    assert refused.status_code == 429
    assert b"Too many attempts. Wait 15 minutes" in refused.content
    assert "_auth_user_id" not in client.session

    LoginAttempt.objects.update(at=timezone.now() - timedelta(minutes=16))
    assert enter(client, password=PASSWORD).status_code == 302


def test_nobody_can_lock_another_person_out(client: Client) -> None:
    for _ in range(9):
        enter(client, address="203.0.113.9")
    assert enter(client, password=PASSWORD, address="203.0.113.10").status_code == 302


def test_one_address_cannot_try_many_names(client: Client) -> None:
    answers = [enter(client, name=f"user-{number}").status_code for number in range(8)]
    assert answers == [200] * 6 + [429] * 2


def test_capital_letters_are_no_further_guesses(client: Client) -> None:
    answers = [enter(client, name=name).status_code for name in ("ada", "ADA", "Ada", "aDA")]
    assert answers == [200, 200, 200, 429]


def test_getting_in_forgets_the_wrong_guesses(client: Client) -> None:
    for _ in range(3):
        enter(client, password="wrong")
        assert enter(client, password=PASSWORD).status_code == 302


def test_without_a_proxy_no_header_changes_the_address(client: Client) -> None:
    answers = []
    for number in range(4):
        claimed = {"X-Forwarded-For": f"198.51.100.{number}", "X-Real-IP": f"192.0.2.{number}"}
        answers.append(enter(client, **claimed))
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]


def test_behind_a_proxy_its_own_entry_counts_and_not_what_the_client_claims(
    client: Client, behind_a_proxy: None
) -> None:
    answers = [
        enter(client, **{"X-Forwarded-For": f"10.0.0.{number}, 203.0.113.9"}) for number in range(4)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert enter(client, **{"X-Forwarded-For": "203.0.113.10"}).status_code == 200


@pytest.mark.parametrize(
    ("header", "address"),
    [("203.0.113.9", "203.0.113.9"), ("1.1.1.1, 2001:db8::1", "2001:db8::1"), ("", "127.0.0.1")],
)
def test_the_proxys_entry_becomes_the_address(
    rf: Any, behind_a_proxy: None, header: str, address: str
) -> None:
    request = rf.get("/", headers={"X-Forwarded-For": header} if header else {})
    ForwardedAddress(lambda _: HttpResponse())(request)
    assert request.META["REMOTE_ADDR"] == address


def test_the_audit_log_keeps_the_address_that_counts(client: Client, behind_a_proxy: None) -> None:
    with atomic() as session:
        add_workflow(session, "w", "PENDING")
    enter(client, password=PASSWORD)
    client.post("/workflows/do/cancel/w", headers={"X-Forwarded-For": "6.6.6.6, 203.0.113.9"})
    assert AuditEvent.objects.get(action="cancel").address == "203.0.113.9"


def test_a_session_known_before_is_worth_nothing_after(client: Client) -> None:
    client.get("/login/")
    client.cookies["dboshub_session"] = "planted"
    enter(client, password=PASSWORD)
    assert client.cookies["dboshub_session"].value not in ("", "planted")
    cookie = client.cookies["dboshub_session"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_signing_out_ends_the_session_and_needs_a_form(client: Client) -> None:
    enter(client, password=PASSWORD)
    before = client.cookies["dboshub_session"].value
    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/")["Location"] == "/login/"
    client.cookies["dboshub_session"] = before
    assert client.get("/workflows/").status_code == 302


@pytest.mark.parametrize(
    "leads", ["https://evil.example/", "//evil.example", "javascript:alert(1)"]
)
def test_the_door_leads_to_no_other_place(client: Client, leads: str) -> None:
    sent = {"username": "ada", "password": PASSWORD, "next": leads}
    assert client.post("/login/", sent)["Location"] == "/"


def test_the_door_needs_a_token(make_user: Callable[..., Any]) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert enter(strict, password=PASSWORD).status_code == 403


def test_no_address_takes_a_form_without_its_token(make_user: Callable[..., Any]) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(make_user("root", is_staff=True, is_superuser=True))
    refused = 0
    for address in ALL:
        answer = strict.post(f"/{address}", {"reason": "forged"})
        assert answer.status_code in (403, 404, 405) or "/login/" in answer.get("Location", "")
        refused += answer.status_code == 403
    assert refused > 40
    assert not AuditEvent.objects.exists()
