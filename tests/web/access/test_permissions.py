"""Nobody gets past the door, and no payload gets to who may not see payloads; admin included."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from tests.web.workflows.test_detail import MARKER, add_everything

pytestmark = pytest.mark.django_db

OPEN = {"login/", "healthz"}
EXAMPLES = {"int": "1", "slug": "cancel"}


def addresses(patterns: list[Any], before: str = "") -> Iterator[str]:
    """Every address of the project, with an example for each of its variable parts."""
    for pattern in patterns:
        text = re.sub(r"\(\?P<\w+>.*\)\$?$", "anything", str(pattern.pattern))
        text = re.sub(r"<(?:(\w+):)?\w+>", lambda part: EXAMPLES.get(part[1] or "str", "w"), text)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, before + text)
        elif isinstance(pattern, URLPattern):
            yield before + text


ALL = sorted(set(addresses(get_resolver().url_patterns)))


def test_the_walk_meets_every_part_of_the_project() -> None:
    for known in (
        "workflows/",
        "workflows/run/w",
        "admin/dboshub_queues/queue/add/",
        "healthz",
        "login/",
    ):
        assert known in ALL
    assert len(ALL) > 40


@pytest.mark.parametrize("method", ["get", "post", "put", "delete"])
def test_without_a_session_only_the_door_and_the_pulse_answer(client: Client, method: str) -> None:
    add_everything("w", MARKER, "ERROR")
    for address in ALL:
        if address in OPEN:
            continue
        response = getattr(client, method)(f"/{address}")
        assert MARKER.encode() not in response.content, address
        if response.status_code == 302:
            assert "/login/" in response["Location"], address
        else:
            assert response.status_code in (403, 404, 405), f"{method} {address}: {response}"
            assert b"checkout" not in response.content, address


def test_a_fragment_without_a_session_sends_the_whole_window_to_the_door(client: Client) -> None:
    response = client.get("/workflows/", headers={"HX-Request": "true"})
    assert response["HX-Redirect"].startswith("/login/")
    assert response.content == b""


def test_the_pulse_says_nothing(client: Client) -> None:
    assert client.get("/healthz").content == b"ok\n"


@pytest.fixture
def inspector(client: Client, make_user: Callable[..., Any]) -> Client:
    """Staff with every permission but the one to see payloads."""
    user = make_user("ins", is_staff=True)
    user.user_permissions.set(Permission.objects.exclude(codename="view_payload"))
    client.force_login(user)
    return client


def test_the_admin_shows_no_payload_to_who_may_not_see_payloads(inspector: Client) -> None:
    add_everything("w", MARKER, "ERROR")
    seen = 0
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        pages = [reverse(f"{name}_changelist")]
        pages += [
            reverse(f"{name}_{page}", args=[found.pk])
            for page in ("change", "history")
            for found in model._default_manager.all()[:3]
            if not isinstance(found.pk, tuple)
        ]
        for page in pages:
            response = inspector.get(page)
            assert MARKER.encode() not in response.content, page
            seen += response.status_code == 200
    assert seen > 10


@pytest.mark.parametrize("query", ["", "?name=checkout", "?status=ERROR"])
def test_the_list_shows_no_payload_to_anybody(inspector: Client, query: str) -> None:
    add_everything("w", MARKER, "ERROR")
    response = inspector.get(f"/workflows/{query}")
    assert response.status_code == 200
    assert b"checkout" in response.content
    assert MARKER.encode() not in response.content


def test_every_action_refuses_a_form_without_its_token(make_user: Callable[..., Any]) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(make_user("ada", is_superuser=True))
    add_everything("w", "x", "PENDING")
    for verb in ("cancel", "resume", "fork", "delete", "send"):
        assert strict.post(reverse("dboshub:workflows:do", args=[verb, "w"])).status_code == 403
