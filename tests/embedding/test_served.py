"""The project under each web server: the host's pages are the host's, ours are ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.embedding.crawl import Crawl, failures
from tests.embedding.project import (
    ADMIN,
    NAME,
    STRANGER,
    VIEWER,
    HostProject,
    form_token,
    sign_in,
)
from tests.embedding.serving import SERVERS, Served
from tests.support.eventually import eventually

POLICY = "Content-Security-Policy"


@pytest.fixture(params=SERVERS)
def served(host: HostProject, request: pytest.FixtureRequest) -> Served:
    return host.served_by(request.param)


@pytest.fixture
def visitor(served: Served) -> Iterator[httpx.Client]:
    """Somebody who has not logged in."""
    with served.client() as client:
        yield client


@pytest.fixture
def admin(visitor: httpx.Client) -> httpx.Client:
    sign_in(visitor, ADMIN)
    return visitor


def socket_of(page: str) -> str:
    """The address that a page listens at; empty if it says that it is not live."""
    found = re.search(r'id="live-state"[^>]*data-socket="([^"]*)"', page)
    return found[1] if found else ""


def test_whoever_has_not_logged_in_is_sent_to_the_hosts_login_and_back(
    visitor: httpx.Client,
) -> None:
    answer = visitor.get("/ops/workflows/?status=ERROR")
    login = urlsplit(answer.headers["Location"])
    assert (answer.status_code, login.path) == (302, "/enter/")
    assert parse_qs(login.query) == {"next": ["/ops/workflows/?status=ERROR"]}
    part = visitor.get(
        "/ops/queues/",
        headers={"HX-Request": "true", "HX-Current-URL": f"{visitor.base_url}/ops/queues/?q=a"},
    )
    assert (part.status_code, part.headers["HX-Redirect"]) == (
        200,
        "/enter/?next=%2Fops%2Fqueues%2F%3Fq%3Da",
    )
    assert visitor.get("/ops/no/such/page").status_code == 302
    assert visitor.post("/ops/workflows/do/cancel/w").status_code == 302
    assert visitor.get("/ops/healthz").text == "ok\n"


def test_pages_of_ours_have_our_headers_and_the_hosts_have_its_own(admin: httpx.Client) -> None:
    ours, theirs = admin.get("/ops/workflows/"), admin.get("/")
    assert ours.status_code == theirs.status_code == 200
    assert "bakery.example" not in ours.headers[POLICY]
    assert "script-src 'self'" in ours.headers[POLICY]
    assert ours.headers["X-Frame-Options"] == "DENY"
    assert "private" in ours.headers["Cache-Control"]
    assert theirs.headers[POLICY] == "default-src 'self' https://bakery.example"
    assert theirs.headers["X-Frame-Options"] == "SAMEORIGIN"
    # Neither our styles nor our tags nor what our templates are given.
    assert "dboshub" not in theirs.text
    assert "the host&#x27;s icon loaf" in theirs.text
    assert "<p></p>" in theirs.text


def test_a_page_is_live_where_the_server_speaks_websocket(
    served: Served, admin: httpx.Client
) -> None:
    page = admin.get("/ops/workflows/").text
    if served.is_wsgi:
        assert "Not live: This server does not speak WebSocket" in page
        assert socket_of(page) == ""
        return
    assert "Not live" not in page
    assert socket_of(page) == "/ops/live/"
    cookies = "; ".join(f"{name}={value}" for name, value in admin.cookies.items())
    with connect(
        f"ws://{served.address}/ops/live/",
        origin=served.url,
        additional_headers={"Cookie": cookies},
    ) as socket:
        socket.send('{"unsub": []}')
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.3)


def test_sockets_elsewhere_are_the_hosts_and_ours_need_a_session(served: Served) -> None:
    if served.is_wsgi:
        return
    with connect(f"ws://{served.address}/live/") as socket:
        assert socket.recv() == "The bakery's socket /live/"
    with connect(f"ws://{served.address}/ops/live/", origin=served.url) as socket:
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=10)
        assert socket.close_code == 4401


def test_the_hosts_admin_site_keeps_its_name_and_shows_our_tables(admin: httpx.Client) -> None:
    page = admin.get("/admin/").text
    assert "DBOSHub administration" not in page
    assert "Django" in page
    for address in ("/admin/queues/queue/", "/admin/dboshub_queues/queue/"):
        assert f'href="{address}"' in page
        assert admin.get(address).status_code == 200
    assert admin.get("/admin/dboshub_workflows/workflow/").status_code == 200


def test_the_menu_offers_what_the_host_has(visitor: httpx.Client) -> None:
    sign_in(visitor, VIEWER)
    page = visitor.get("/ops/").text
    assert VIEWER in page
    assert 'action="/leave/"' in page
    assert "/admin/" not in page
    assert "Change password" not in page


def test_a_refusal_is_a_page_of_ours(visitor: httpx.Client) -> None:
    sign_in(visitor, STRANGER)
    refused = visitor.get("/ops/workflows/")
    assert refused.status_code == 403
    assert "You may not see this" in refused.text
    assert STRANGER in refused.text
    missing = visitor.get("/ops/no/such/page")
    assert (missing.status_code, "Nothing here" in missing.text) == (404, True)
    assert visitor.get("/ops/workflows").headers["Location"] == "/ops/workflows/"
    forged = visitor.post("/ops/theme/", data={"theme": "dark"})
    assert (forged.status_code, "This page was open too long" in forged.text) == (403, True)
    for page in (refused, missing, forged):
        assert "script-src 'self'" in page.headers[POLICY]
    # Elsewhere the host answers.
    assert "Nothing here" not in visitor.get("/no/such/page").text


@pytest.fixture
def main(host: HostProject, worked: None) -> Iterator[httpx.Client]:
    """An administrator at one of the servers, where all of them show the same."""
    with host.served_by(host.main_server).client() as client:
        sign_in(client, ADMIN)
        yield client


def test_what_a_worker_of_the_host_did_is_on_the_page(main: httpx.Client) -> None:
    page = eventually(lambda: baked(main), timeout=30, interval=0.2)
    assert "knead" in page
    assert NAME in main.get("/ops/workflows/executors/").text


def baked(client: httpx.Client) -> str:
    page = client.get("/ops/workflows/run/brown").text
    return page if "dough of brown, baked" in page else ""


def test_an_action_works_and_is_in_the_audit_log_by_the_hosts_name(main: httpx.Client) -> None:
    form = main.get("/ops/workflows/do/cancel/rye")
    sent = {"reason": "burnt", "csrfmiddlewaretoken": form_token(form.text)}
    answer = main.post("/ops/workflows/do/cancel/rye", data=sent)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/ops/workflows/run/rye")
    assert "Cancelled" in main.get("/ops/workflows/run/rye").text
    log = main.get("/ops/audit/").text
    assert ADMIN in log
    assert "burnt" in log


def test_every_page_and_every_file_that_it_loads_is_there(main: httpx.Client) -> None:
    found = Crawl(main).walk("/ops/")
    assert failures(found.pages) == {}
    assert failures(found.files) == {}
    assert "/ops/workflows/run/brown" in found.pages
    assert len(found.pages) > 15
    assert any(name.endswith(".woff2") for name in found.files)
    assert any("live/connection" in name for name in found.files)
