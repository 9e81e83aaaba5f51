"""Our pages in the project, in a real browser: live where they can be, and saying so where not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.embedding.conftest import host, worked
from tests.embedding.project import ADMIN, PASSWORD, HostProject

__all__ = ["host", "worked"]

# The project on PostgreSQL has hashed static files, whose modules import plain names.
pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("host", ["postgres"], indirect=True, scope="session"),
]


@pytest.fixture
def open_list(browser: Browser, host: HostProject, worked: None) -> Iterator[Callable[..., Page]]:
    """Log in at one of the servers, with a list of what the browser complains about."""
    contexts = []

    def opened(server: str, complaints: list[str], sockets: list[str]) -> Page:
        context = browser.new_context(base_url=host.served_by(server).url)
        contexts.append(context)
        page = context.new_page()
        page.goto("/enter/?next=/ops/workflows/")
        page.locator("[name=username]").fill(ADMIN)
        page.locator("[name=password]").fill(PASSWORD)
        page.on("console", lambda said: complaints.append(said.text))
        page.on("websocket", lambda socket: sockets.append(socket.url))
        page.keyboard.press("Enter")
        page.wait_for_selector("#main")
        return page

    yield opened
    for context in contexts:
        context.close()


def test_a_page_under_a_prefix_is_live(open_list: Callable[..., Page]) -> None:
    complaints: list[str] = []
    sockets: list[str] = []
    page = open_list("uvicorn", complaints, sockets)
    expect(page.locator("#live-state")).to_have_text("Live", timeout=15_000)
    assert [url.partition("/ops/")[2] for url in sockets] == ["live/"]
    assert complaints == []


def test_a_page_of_a_server_without_websocket_says_so_and_tries_nothing(
    open_list: Callable[..., Page],
) -> None:
    complaints: list[str] = []
    sockets: list[str] = []
    page = open_list("gunicorn", complaints, sockets)
    page.locator("#live-state").click()
    expect(page.get_by_text("Not live: This server does not speak WebSocket")).to_be_visible()
    page.reload()
    page.wait_for_load_state("networkidle")
    assert sockets == []
    assert complaints == []


def test_a_page_whose_style_sheets_are_not_served_says_so(open_list: Callable[..., Page]) -> None:
    page = open_list("gunicorn", [], [])
    says = page.get_by_text("The style sheets of DBOSHub are not served at")
    expect(says).to_be_hidden()
    page.route("**/dboshub/css/*", lambda route: route.abort())
    page.reload()
    expect(says).to_be_visible()
