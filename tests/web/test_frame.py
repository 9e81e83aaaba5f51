"""The frame around every page, the door, and what is said when there is no page."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client, RequestFactory, override_settings

from dboshub.web.error_pages import server_error
from dboshub.workflows.rendering.page_templates import render_to_string

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"


@pytest.fixture
def viewer(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("ada", "dboshub_workflows.view_workflow"))
    return client


def theme_of(page: bytes) -> str:
    found = re.search(rb'<html lang="en" data-theme="(\w+)" ', page)
    assert found
    return found[1].decode()


def test_the_door_opens_for_the_right_password_and_leads_on(
    client: Client, make_user: Callable[..., Any]
) -> None:
    make_user("ada", "dboshub_workflows.view_workflow")
    page = client.get("/login/?next=/workflows/%3Fstatus%3DERROR")
    assert b'value="/workflows/?status=ERROR"' in page.content
    sent = {"username": "ada", "password": PASSWORD, "next": "/workflows/?status=ERROR"}
    assert client.post("/login/", sent)["Location"] == "/workflows/?status=ERROR"


def test_a_wrong_password_is_said_without_naming_which_part_is_wrong(
    client: Client, make_user: Callable[..., Any]
) -> None:
    make_user("ada")
    page = client.post("/login/", {"username": "ada", "password": "wrong"}).content.decode()
    assert 'role="alert"' in page
    assert "Please enter a correct username and password" in page
    assert 'value="ada"' in page
    assert "wrong" not in page


def test_colours_are_chosen_by_a_plain_form_and_kept_in_a_cookie(viewer: Client) -> None:
    assert theme_of(viewer.get("/workflows/").content) == "system"
    back = viewer.post(
        "/theme/", {"theme": "dark"}, headers={"Referer": "http://testserver/workflows/"}
    )
    assert back["Location"] == "/workflows/"
    page = viewer.get("/workflows/")
    assert theme_of(page.content) == "dark"
    assert b'value="dark" aria-pressed="true"' in page.content


def test_colours_that_nobody_offers_are_not_kept(viewer: Client) -> None:
    viewer.post("/theme/", {"theme": '"><script>'})
    assert theme_of(viewer.get("/workflows/").content) == "system"
    viewer.cookies["dboshub_theme"] = "purple"
    assert theme_of(viewer.get("/workflows/").content) == "system"


def test_the_frame_skips_to_the_content_and_shows_the_way_out(viewer: Client) -> None:
    page = viewer.get("/workflows/").content.decode()
    assert '<a class="skip" href="#main">' in page
    assert '<main class="main" id="main" tabindex="-1">' in page
    assert 'id="live-state"' in page
    assert 'action="/logout/"' in page
    assert 'href="/workflows/" aria-current="page"' in page


def test_the_admin_is_offered_to_staff_alone(
    client: Client, viewer: Client, make_user: Callable[..., Any]
) -> None:
    assert b"/admin/" not in viewer.get("/workflows/").content
    viewer.force_login(make_user("root", is_staff=True, is_superuser=True))
    assert b'href="/admin/"' in viewer.get("/workflows/").content


def test_an_address_without_a_page_says_so_in_our_own_frame(viewer: Client) -> None:
    response = viewer.get("/nowhere")
    assert response.status_code == 404
    assert b"Nothing here" in response.content


def test_a_form_without_a_token_says_how_to_go_on(make_user: Callable[..., Any]) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(make_user("ada"))
    response = strict.post("/theme/", {"theme": "dark"})
    assert response.status_code == 403
    assert b"This page was open too long" in response.content


def test_a_request_that_cannot_be_read_says_so(viewer: Client) -> None:
    with override_settings(DATA_UPLOAD_MAX_NUMBER_FIELDS=1):
        response = viewer.post("/workflows/columns/", {"column": ["name", "queue"], "query": ""})
    assert response.status_code == 400
    assert b"The request could not be read" in response.content


def test_a_host_that_is_not_allowed_is_named(viewer: Client) -> None:
    with override_settings(ALLOWED_HOSTS=["elsewhere"]):
        response = viewer.get("/workflows/")
    assert response.status_code == 400
    assert b"This host is not allowed" in response.content


def test_a_failing_page_needs_neither_user_nor_database() -> None:
    response = server_error(RequestFactory().get("/"))
    assert response.status_code == 500
    assert b"Something broke" in response.content
    assert b"data-theme" in response.content


@pytest.mark.parametrize(
    "template",
    [
        "dboshub/responses/400.html",
        "dboshub/responses/403.html",
        "dboshub/responses/403_csrf.html",
        "dboshub/responses/404.html",
    ],
)
def test_no_error_page_loads_a_script(template: str) -> None:
    assert "<script" not in render_to_string(template)
