"""A foreign database is looked at from every page, and nothing in it or beside it changes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from tests.packaging.crawl import Visitor
from tests.standalone import walk
from tests.standalone.foreign import WAITING, assert_unchanged, dump
from tests.standalone.process import dashboard
from tests.web.routes import routes

TOPIC = re.compile(r'data-topic="([^"]+)"[^>]* data-token="([^"]+)"')
# A page may be of something that is not there, or of something that may not be done now.
FOUND = {200, 403, 404, 409}
SEEN = ("view payload", "done")


def post(visitor: Visitor, address: str, **data: object) -> httpx.Response:
    token = next(value for key, value in visitor.client.cookies.items() if "csrf" in key)
    return visitor.client.post(address, data={"csrfmiddlewaretoken": token, **data})


def open_pages(visitor: Visitor, *, step: int) -> None:
    """Open every page, or each one after `step`."""
    wrong = {}
    for name, address in [*walk.pages()][::step]:
        answer = visitor.client.get(address, follow_redirects=True)
        if answer.status_code not in FOUND and (name, answer.status_code) not in EXPECTED:
            wrong[address] = answer.status_code
    assert not wrong


# Routes that only take posts.
EXPECTED = {
    *((name, 405) for name in ("dboshub:theme", "dboshub:save_view", "dboshub:delete_view")),
    *((name, 405) for name in ("dboshub:workflows:columns", "dboshub:exports:discard")),
}


def follow(visitor: Visitor, address: str) -> None:
    """Open a page's socket as its script does, until all that it follows was read."""
    found = {topic: [token, ""] for topic, token in TOPIC.findall(visitor.client.get(address).text)}
    assert found, address
    origin = str(visitor.client.base_url).rstrip("/")
    cookies = "; ".join(f"{name}={value}" for name, value in visitor.client.cookies.items())
    with connect(
        f"{origin.replace('http', 'ws', 1)}/live/",
        origin=origin,
        additional_headers={"Cookie": cookies},
    ) as socket:
        socket.send(json.dumps({"sub": found}))
        message: dict[str, object] = {}
        while "beat" not in message:
            message = json.loads(socket.recv(timeout=20))
            socket.send(json.dumps({"ack": message["seq"]}))
            assert "refused" not in message


def use_what_is_its_own(visitor: Visitor) -> None:
    """Everything that a viewer may do that is kept in the dashboard's own database."""
    for address, data in (
        ("/theme/", {"theme": "dark"}),
        ("/preferences/", {"time_zone": "Asia/Tokyo"}),
        ("/views/save/", {"page": "workflows", "name": "mine", "query": "status=ERROR"}),
        ("/views/1/delete/", {}),
        ("/exports/new/", {"of": "workflows", "format": "csv", "filter": "", "reason": "why"}),
        ("/workflows/columns/", {"column": ["name"]}),
    ):
        answer = post(visitor, address, **data)
        assert answer.status_code == 302, (address, answer.status_code, answer.text)


@pytest.mark.parametrize("options", [(), ("--read-only",)], ids=["may act", "read-only"])
def test_nothing_is_changed_by_looking(
    request: pytest.FixtureRequest,
    foreign_url: str,
    tmp_path: Path,
    used: Path,
    options: tuple[str, ...],
) -> None:
    # Another state of the same file is met when it is opened, whatever a page reads then.
    step = 1 if request.node.callspec.params["foreign_url"] in ("sqlite", "postgres") else 5
    with_index = "--read-only" in options
    before = dump(foreign_url, with_index=with_index)
    with dashboard(foreign_url, tmp_path, options, used) as served, served.visitor() as visitor:
        use_what_is_its_own(visitor)
        open_pages(visitor, step=step)
        for address in ("/workflows/", "/workflows/run/o-1", "/queues/", "/"):
            follow(visitor, address)
    assert_unchanged(before, dump(foreign_url, with_index=with_index))
    assert "Traceback" not in served.log.read_text()


@pytest.mark.parametrize("foreign_url", ["sqlite", "postgres"], indirect=True)
def test_a_read_only_dashboard_refuses_every_action_and_says_so(
    foreign_url: str, tmp_path: Path, used: Path
) -> None:
    before = dump(foreign_url)
    options = ["--read-only"]
    with dashboard(foreign_url, tmp_path, options, used) as served, served.visitor() as visitor:
        for name, address, data in walk.actions():
            refused = len(served.audit())
            answer = post(visitor, address, **data)
            assert answer.status_code == 403, (address, answer.status_code, answer.text)
            assert "read-only" in answer.text, address
            # A refusal may be told on the page that it was asked from, with what that shows.
            rows = [row for row in served.audit()[refused:] if row != SEEN]
            assert [outcome for _, outcome in rows] == ["refused"], address
            page = visitor.client.get(address).text
            assert "read-only" in page.lower() or name == "admin", address
        for route in routes():
            if route.name not in {*walk.FORMS, *walk.OWN, *walk.LEADING}:
                address = next(walk.places(route))
                assert post(visitor, address).status_code == 405, f"{address} takes posts"
    assert_unchanged(before, dump(foreign_url))


@pytest.mark.parametrize("foreign_url", ["sqlite", "sqlite in WAL mode", "postgres"], indirect=True)
def test_an_action_that_is_confirmed_changes_its_rows_and_nothing_else(
    foreign_url: str, tmp_path: Path, used: Path
) -> None:
    before = dump(foreign_url)
    with dashboard(foreign_url, tmp_path, used=used) as served, served.visitor() as visitor:
        asked = visitor.client.get(f"/workflows/do/cancel/{WAITING}")
        assert "Cancel" in asked.text
        assert_unchanged(before, dump(foreign_url))
        done = post(visitor, f"/workflows/do/cancel/{WAITING}", reason="no longer wanted")
        assert done.status_code == 302, done.text
        assert served.audit()[-1] == ("cancel", "done")
        assert "Cancelled" in visitor.client.get(f"/workflows/run/{WAITING}").text
    after = dump(foreign_url)
    assert sorted(after) == sorted(before), "no file and no table is new"
    if not foreign_url.startswith("sqlite"):
        changed = {key for key in before if before[key] != after[key]}
        assert changed == {"dbos.workflow_status"}


@pytest.mark.parametrize("foreign_url", ["sqlite", "postgres"], indirect=True)
def test_what_its_tables_lack_is_said(foreign_url: str, tmp_path: Path) -> None:
    """Executors, pauses and attempts are in tables that only our workers make.

    What a dashboard makes in a new data directory it does not make in that database.
    """
    before = dump(foreign_url)
    with dashboard(foreign_url, tmp_path) as served, served.visitor() as visitor:
        executors = visitor.client.get("/workflows/executors/").text
        assert "Executors of other programs send no heartbeat to this database" in executors
        pause = post(visitor, "/queues/do/pause/orders/", reason="stop")
        assert pause.status_code == 409
        assert "No worker of this hub uses this database" in pause.text
        admin = visitor.client.get("/admin/dboshub_workflows/executor/")
        assert "there is no table of them" in admin.text
    assert_unchanged(before, dump(foreign_url))
