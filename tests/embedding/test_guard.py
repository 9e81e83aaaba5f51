"""What surrounds a view of ours, whatever middleware a project has."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import BadRequest, ImproperlyConfigured, SuspiciousOperation
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import get_resolver

from dboshub.background import threads
from dboshub.web.guard import guarded
from tests.web.routes import routes

pytestmark = pytest.mark.django_db

ESSENTIAL = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
POLICY = "Content-Security-Policy"


def respond(view: Callable[..., Any], user: Any, method: str = "get") -> HttpResponse:
    """The guarded view's answer to a request that no middleware has seen."""
    request = getattr(RequestFactory(), method)("/workflows/")
    request.user = user
    request._dont_enforce_csrf_checks = True
    found: HttpResponse = guarded(view)(request)
    return found


def failing(error: Exception) -> Callable[..., Any]:
    def view(request: HttpRequest) -> HttpResponse:
        raise error

    return view


def test_every_view_of_ours_is_guarded_and_guarded_once() -> None:
    ours = [each for each in routes() if each.name.startswith("dboshub:")]
    assert len(ours) > 30
    for each in ours:
        assert each.view.is_guarded, each.name
        assert not hasattr(each.view.__wrapped__, "is_guarded"), each.name
    assert get_resolver().resolve("/workflows/").func.is_guarded


def test_middleware_of_the_project_is_not_needed(
    settings: Any, client: Client, make_user: Callable[..., Any]
) -> None:
    settings.MIDDLEWARE = ESSENTIAL
    client.force_login(make_user("ada", "dboshub_workflows.view_workflow"))
    page = client.get("/workflows/")
    assert (page.status_code, page["X-Frame-Options"]) == (200, "DENY")
    part = client.get("/workflows/", headers={"HX-Request": "true"})
    assert b"<html" not in part.content
    assert "HX-Request" in part["Vary"]
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    assert strict.post("/theme/", {"theme": "dark"}).status_code == 403
    assert Client().get("/workflows/")["Location"] == "/login/?next=/workflows/"


def test_policies_of_the_project_do_not_reach_our_pages(
    settings: Any, client: Client, make_user: Callable[..., Any]
) -> None:
    policy = {"DIRECTIVES": {"default-src": ["https://project.example"]}}
    settings.CONTENT_SECURITY_POLICY = policy
    settings.CONTENT_SECURITY_POLICY_REPORT_ONLY = policy
    settings.X_FRAME_OPTIONS = "SAMEORIGIN"
    settings.MIDDLEWARE = [
        "csp.middleware.CSPMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
        *(each for each in settings.MIDDLEWARE if "PageHeaders" not in each),
    ]
    client.force_login(make_user("ada", "dboshub_workflows.view_workflow"))
    ours, theirs = client.get("/workflows/"), client.get("/login/")
    assert "project.example" not in ours[POLICY]
    assert f"{POLICY}-Report-Only" not in ours
    assert ours["X-Frame-Options"] == "DENY"
    assert "project.example" in theirs[POLICY]
    assert theirs["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (BadRequest("no"), 400, b"could not be read"),
        (SuspiciousOperation("no"), 400, b"could not be read"),
        (OperationalError("no such table: workflow_status"), 503, b"not ready for this release"),
    ],
    ids=["bad request", "suspicious", "outage"],
)
def test_what_a_view_raises_is_a_page_of_ours(
    make_user: Callable[..., Any], error: Exception, status: int, said: bytes
) -> None:
    response = respond(failing(error), make_user())
    assert response.status_code == status
    assert said in response.content
    assert "script-src 'self'" in response[POLICY]


def test_an_error_of_ours_is_left_to_the_project(make_user: Callable[..., Any]) -> None:
    with pytest.raises(ZeroDivisionError):
        respond(failing(ZeroDivisionError()), make_user())


def test_a_view_is_not_reached_without_a_login() -> None:
    for method in ("get", "post", "put"):
        response = respond(failing(AssertionError()), AnonymousUser(), method)
        assert (response.status_code, response["Location"]) == (302, "/login/?next=/workflows/")


def test_without_authentication_the_error_names_the_middleware() -> None:
    request = RequestFactory().get("/")
    request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
    with pytest.raises(ImproperlyConfigured, match="AuthenticationMiddleware"):
        guarded(failing(AssertionError()))(request)


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Nothing runs in the background yet; the names of the threads that are started."""
    started: list[str] = []
    start = threading.Thread.start

    def note(thread: threading.Thread) -> None:
        if thread.name.startswith("dboshub"):
            started.append(thread.name)
        else:
            start(thread)

    monkeypatch.setattr(threads, "_started_in", None)
    monkeypatch.setattr(threading.Thread, "start", note)
    return started


def test_background_threads_start_with_the_first_page_and_once(
    stopped: list[str], settings: Any, make_user: Callable[..., Any]
) -> None:
    settings.DBOSHUB_ROLLUPS = settings.DBOSHUB_BULK = True
    client = Client()
    client.force_login(make_user())
    client.get("/workflows/")
    assert stopped == [], "the test client's requests start none"
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    view = guarded(lambda request: HttpResponse())
    for _ in range(3):
        view(request)
    assert sorted(stopped) == ["dboshub-bulk", "dboshub-rollups"]
