"""The installed wheel, outside the checkout, does what the README says. `make compat` runs this.

Nothing here imports `dboshub`: all of it runs in the environment that has the wheel.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.packaging.crawl import Visitor
from tests.packaging.environment import Installed
from tests.support.eventually import eventually
from tests.support.ports import free_port

HERE = Path(__file__).resolve().parent
NAME, PASSWORD = "root", "correct horse battery"
# An address gives a page, or says that it wants a POST or a WebSocket.
FINE = (200, 405, 426)


@pytest.fixture(scope="module")
def shop(installed: Installed) -> Installed:
    """The user's folder, where a script has run, with an administrator."""
    for program in (HERE / "programs").glob("*.py"):
        shutil.copy(program, installed.folder)
    shutil.copy(HERE.parent / "web" / "routes.py", installed.folder)
    (installed.folder / "data").mkdir()
    told = installed.python("script.py", "data/dboshub.sqlite3").splitlines()
    assert told[:3] == ["o-1 shipped", "no such order: o-2", "['charge', 'fail']"]
    assert Path(told[3]).is_relative_to(installed.programs.parent)
    installed.dboshub("migrate", "--verbosity=0")
    given = {"DBOSHUB_ADMIN_NAME": NAME, "DBOSHUB_ADMIN_PASSWORD": PASSWORD}
    installed.dboshub("ensure_admin", **given)
    return installed


@contextmanager
def dashboard(shop: Installed) -> Iterator[Visitor]:
    port = free_port()
    with (
        shop.running("dashboard", "--port", str(port)) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, verify=False) as client,
    ):
        eventually(lambda: _answers(client, process), timeout=30, interval=0.1)
        yield Visitor(client)


def _answers(client: httpx.Client, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "the dashboard has ended"
    return client.get("/healthz").status_code == 200


def test_every_page_and_all_that_it_shows_is_there(shop: Installed) -> None:
    with shop.running("runworkers", "--import", "shop"), dashboard(shop) as visitor:
        addresses = json.loads(shop.python("pages.py", DJANGO_SETTINGS_MODULE="dboshub.settings"))
        anonymous = visitor.open("/workflows/")
        assert anonymous.url.path == "/login/"
        visitor.log_in(NAME, PASSWORD)
        answers = {address: visitor.open(address).status_code for address in addresses}
        visitor.open_socket("/live/")
    assert len(answers) > 50
    assert {each: code for each, code in answers.items() if code not in FINE} == {}
    assert visitor.problems == []
    ours = [each for each in visitor.assets if "/static/dboshub/" in each]
    kinds = {each.rpartition(".")[2] for each in ours}
    assert kinds == {"css", "js", "svg", "woff2"}
    for each in ours:
        headers = visitor.assets[each].headers
        assert "immutable" in headers["cache-control"], each
        assert headers.get("content-encoding") == "gzip" or each.endswith(".woff2"), each
    assert any("/static/admin/" in each for each in visitor.assets)


def test_another_worker_finishes_what_a_killed_one_began(shop: Installed) -> None:
    log, go = shop.folder / "steps.log", shop.folder / "go"

    def noted() -> list[list[str]]:
        lines = [line.split() for line in log.read_text().splitlines()]
        return [line[1:] for line in lines if line[0] == "killed"]

    with shop.running("runworkers", "--import", "shop") as first:
        shop.dboshub("workflow", "start", "checkout", "--args", '["o-3"]', "--id", "killed")
        eventually(lambda: len(noted()) == 2, timeout=30)
        first.send_signal(signal.SIGKILL)
        first.wait()
    go.touch()
    with shop.running("runworkers", "--import", "shop") as second:
        eventually(lambda: ["end", str(second.pid)] in noted(), timeout=30)
        eventually(lambda: "SUCCESS" in shop.dboshub("workflow", "get", "killed"), timeout=30)
    assert noted() == [
        ["charge", str(first.pid)],
        ["ship", str(first.pid)],
        ["ship", str(second.pid)],
        ["end", str(second.pid)],
    ]


def test_a_project_around_it_collects_the_plain_files_only(shop: Installed) -> None:
    listed = shop.python("collected.py").splitlines()
    assert "dboshub/css/base.css" in listed
    assert [name for name in listed if name.endswith((".gz", "staticfiles.json"))] == []
    assert len(listed) == len(set(listed))


def test_the_package_is_as_it_was_installed(shop: Installed) -> None:
    told = shop.python("unchanged.py")
    assert json.loads(told) == []
