"""Our pages under prefixes that projects have: a language, a namespace, a script name, none."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import get_script_prefix, set_script_prefix
from django.utils import translation

from dboshub.live.routing import is_live_path
from dboshub.workflows.connection import atomic
from tests.support.runs import add_workflow

pytestmark = pytest.mark.django_db

I18N, BARE = "tests.embedding.urls", "tests.embedding.bare_urls"
LINK = re.compile(r'<(?:a|form)\b[^>]*\s(?:href|action)="(/[^"]*)"')


@pytest.fixture
def project(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make the test's Django a project with these settings."""

    def change(urls: str, **changes: Any) -> None:
        settings.ROOT_URLCONF = urls
        settings.USE_I18N = True
        # It has found out already that this process translates nothing.
        monkeypatch.setattr(translation, "_trans", type(translation._trans)())
        settings.MIDDLEWARE = [
            "django.middleware.locale.LocaleMiddleware",
            *(each for each in settings.MIDDLEWARE if "LoginRequired" not in each),
        ]
        for name, value in changes.items():
            setattr(settings, name, value)

    return change


@pytest.fixture
def viewer(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("root", is_staff=True, is_superuser=True))
    return client


def links(page: str) -> set[str]:
    return set(LINK.findall(page))


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_language_and_a_namespace_before_our_addresses_are_kept(
    project: Callable[..., None], viewer: Client, language: str
) -> None:
    project(I18N, LANGUAGE_CODE="en")
    with atomic() as session:
        add_workflow(session, "w", "PENDING")
    prefix = f"/{language}/tools/ops/"
    for address in ("", "workflows/", "workflows/run/w", "queues/", "schedules/", "hub/"):
        response = viewer.get(prefix + address)
        assert response.status_code == 200, address
        ours = links(response.content.decode()) - {"/leave/", "/admin/", "/admin/password_change/"}
        assert ours
        assert all(each.startswith(prefix) for each in ours), ours


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_handshake_is_ours_in_whatever_language(
    project: Callable[..., None], language: str
) -> None:
    project(I18N, LANGUAGE_CODE="en")
    assert is_live_path({"path": f"/{language}/tools/ops/live/"})
    assert is_live_path({"path": f"/app/{language}/tools/ops/live/", "root_path": "/app"})
    for foreign in ("/live/", "/tools/ops/live/", f"/{language}/tools/live/", "/fr/tools/ops/"):
        assert not is_live_path({"path": foreign})


def test_a_script_name_is_before_every_address(
    project: Callable[..., None], viewer: Client
) -> None:
    project(I18N, LANGUAGE_CODE="en", FORCE_SCRIPT_NAME="/app")
    before = get_script_prefix()
    set_script_prefix("/app/")
    try:
        page = viewer.get("/en/tools/ops/workflows/").content.decode()
    finally:
        set_script_prefix(before)
    assert links(page)
    assert all(each.startswith("/app/") for each in links(page))
    assert is_live_path({"path": "/app/en/tools/ops/live/"})
    # Where the proxy in front takes it away.
    assert is_live_path({"path": "/en/tools/ops/live/"})


def test_an_unknown_address_below_the_prefix_is_ours_and_others_are_not(
    project: Callable[..., None], viewer: Client
) -> None:
    project(I18N, LANGUAGE_CODE="en")
    assert b"Nothing here" in viewer.get("/en/tools/ops/no/such").content
    assert viewer.get("/en/tools/ops/queues?a=1")["Location"] == "/en/tools/ops/queues/?a=1"
    assert viewer.get("/en/tools/").content == b"the project's own"


def test_without_a_prefix_unknown_addresses_are_left_to_the_project(
    project: Callable[..., None], viewer: Client
) -> None:
    project(BARE)
    assert viewer.get("/workflows/").status_code == 200
    assert viewer.get("/shop/bread").content == b"the project's own"
    assert viewer.get("/workflows")["Location"] == "/workflows/"


def test_without_a_login_page_the_admin_sites_is_used(
    project: Callable[..., None], client: Client
) -> None:
    project(I18N, LANGUAGE_CODE="en", LOGIN_URL="/accounts/login/")
    assert client.get("/en/tools/ops/")["Location"] == "/admin/login/?next=/en/tools/ops/"
    project(I18N, LANGUAGE_CODE="en", LOGIN_URL="a_name_of_no_view")
    assert client.get("/en/tools/ops/")["Location"] == "/admin/login/?next=/en/tools/ops/"


def test_a_login_page_of_another_site_is_told_the_whole_address(
    project: Callable[..., None], client: Client
) -> None:
    project(BARE, LOGIN_URL="https://id.example/enter")
    told = client.get("/workflows/?q=a")["Location"]
    assert told == "https://id.example/enter?next=http%3A//testserver/workflows/%3Fq%3Da"


def test_a_project_without_logout_and_admin_offers_neither(
    project: Callable[..., None], viewer: Client
) -> None:
    project(BARE)
    page = viewer.get("/workflows/").content.decode()
    for absent in ("Log out", "Administration", "Change password"):
        assert absent not in page


def test_numbers_are_written_in_one_way_in_every_language(
    project: Callable[..., None], viewer: Client
) -> None:
    project(BARE, LANGUAGE_CODE="de", USE_THOUSAND_SEPARATOR=True)
    with atomic() as session:
        add_workflow(session, "w", "SUCCESS")
    for address in ("/", "/workflows/run/w", "/hub/"):
        page = viewer.get(address, headers={"Accept-Language": "de"}).content.decode()
        drawn = re.findall(r'\s(?:x|y|width|height|viewBox|d|points|data-since)="([^"]*)"', page)
        assert not [each for each in drawn if re.search(r"\d,\d", each)], address
