"""A real Chromium against a real server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from scripts.chromium import launch_chromium
from tests.browser.hub import PASSWORD, HubProcess
from tests.support.once import once, once_in_postgres
from tests.support.postgres import Server

SYSTEM = "system.sqlite3"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    """The hub without workflows; tests run once on each of the two, with ids of their own.

    Two people may use it: `ada` may do anything, and `vera` may only look.
    """
    data = tmp_path_factory.mktemp("hub")
    made = once(tmp_path_factory, "prepared-hub", _prepare_in)
    (data / "static").symlink_to(made / "static")
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = _sqlite_in(data)
            shutil.copy(made / SYSTEM, data)
        else:
            server: Server = request.getfixturevalue("postgres_server")

            def fill(url: str) -> None:
                _prepare(HubProcess(url, data))

            name = once_in_postgres(tmp_path_factory, "prepared-database", server, fill)
            url = stack.enter_context(server.fresh_database(name))
        hub = HubProcess(url, data)
        hub.start()
        stack.callback(hub.kill)
        yield hub


def _prepare_in(folder: Path) -> None:
    _prepare(HubProcess(_sqlite_in(folder), folder))


def _prepare(hub: HubProcess) -> None:
    hub.prepare("ada")
    hub.add_user("vera", group="DBOSHub viewer")


def _sqlite_in(folder: Path) -> str:
    return f"sqlite:///{folder / SYSTEM}"


@pytest.fixture(scope="session")
def signed_in() -> dict[str, Any]:
    """The cookies of who has signed in, by name and hub: to sign in takes three pages."""
    return {}


@pytest.fixture
def page(browser: Browser, served: HubProcess, signed_in: dict[str, Any]) -> Iterator[Page]:
    """A page of somebody who has signed in and may do anything."""
    yield from _opened(browser, served, signed_in, "ada")


@pytest.fixture
def viewer(browser: Browser, served: HubProcess, signed_in: dict[str, Any]) -> Iterator[Page]:
    """A page of somebody who may look at workflows, queues and schedules, and not act."""
    yield from _opened(browser, served, signed_in, "vera")


def _opened(
    browser: Browser, served: HubProcess, signed_in: dict[str, Any], name: str
) -> Iterator[Page]:
    key = f"{name} at {served.url}"
    context = browser.new_context(
        base_url=served.url,
        viewport={"width": 1400, "height": 900},
        storage_state=signed_in.get(key),
    )
    page = context.new_page()
    page.set_default_timeout(15_000)
    # Asked without a page: to draw one takes longer.
    if page.request.get("/password/", max_redirects=0).status != 200:
        page.goto("/")
        page.locator("[name=username]").fill(name)
        page.locator("[name=password]").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "/login" not in url)
        signed_in[key] = {"cookies": context.cookies(), "origins": []}
    yield page
    context.close()


@pytest.fixture
def plain(browser: Browser, served: HubProcess, page: Page) -> Iterator[Page]:
    """A page of the same person, in a browser that runs no scripts."""
    context = browser.new_context(
        base_url=served.url,
        java_script_enabled=False,
        storage_state=page.context.storage_state(),
    )
    plain = context.new_page()
    plain.set_default_timeout(15_000)
    yield plain
    context.close()
