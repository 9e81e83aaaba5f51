"""From "something fails since ten minutes" to all fixed and home green again, click by click."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.sql import Statement
from tests.browser.hub import ROOT, HubProcess
from tests.browser.test_home import fail
from tests.support.eventually import eventually

pytestmark = [pytest.mark.browser, pytest.mark.slow]

RUNS = 40
MOST_CLICKS = 6
ENDED = Statement(
    "SELECT COUNT(*) FROM {workflow_status} WHERE name = 'incident.checkout' AND status = :status"
)


class Clicks:
    """Counts what somebody clicks."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, wanted: Locator) -> None:
        self.number += 1
        wanted.click()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub of its own, where nothing else is wrong."""
    data = tmp_path_factory.mktemp("incidents")
    hub = HubProcess(f"sqlite:///{data / 'system.sqlite3'}", data)
    hub.environment["OPEN_BANK"] = str(data / "open")
    hub.prepare("ada")
    hub.start()
    yield hub
    hub.kill()


@pytest.fixture
def worker(served: HubProcess) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "runworkers", "--import", "tests.browser.failing_app"],
        cwd=ROOT,
        env=served.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield
    process.terminate()
    process.wait(30)


@pytest.fixture
def database(served: HubProcess) -> Iterator[Database]:
    opened = open_database(served.database_url)
    yield opened
    opened.close()


def count(database: Database, status: str) -> int:
    with database.reading() as session:
        row = session.one(ENDED, status=status)
    return int(row[0]) if row else 0


def test_forty_failures_are_fixed_in_six_clicks_and_home_is_green_again(
    page: Page, served: HubProcess, database: Database, worker: None
) -> None:
    command = ["manage.py", "workflow", "start", "incident.batch", "--args", f"[{RUNS}]", "--force"]
    subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=served.environment,
        check=True,
        capture_output=True,
    )
    eventually(lambda: count(database, "ERROR") == RUNS, 60)
    click = Clicks()
    page.goto("/")
    expect(page.locator("main")).to_contain_text(f"in incident.checkout: {RUNS} open")
    Path(served.environment["OPEN_BANK"]).touch()

    click(page.get_by_role("link", name="TimeoutError"))
    expect(page.locator("main")).to_contain_text("the bank does not answer order")
    expect(page.locator("main")).to_contain_text("raised by charge in failing_app.py")
    expect(page.locator("pre.trace")).to_contain_text("raise TimeoutError")
    click(page.get_by_role("button", name=f"Fork {RUNS} from the failed step"))
    click(page.get_by_role("button", name=f"Fork from the failed step: {RUNS} workflows"))
    eventually(lambda: count(database, "SUCCESS") == RUNS, 60)
    click(page.get_by_role("link", name="DBOSHub", exact=True))

    expect(page.get_by_role("heading", name="Nothing is wrong")).to_be_visible()
    assert click.number <= MOST_CLICKS, click.number
    page.goto("/incidents/?state=resolved")
    row = page.locator("tr", has_text="TimeoutError")
    expect(row).to_contain_text("Resolved")
    row.get_by_role("link").first.click()
    expect(page.locator("main")).to_contain_text(f"0 of {RUNS} open")
    expect(page.get_by_role("heading", name="Who acted")).to_be_visible()


def test_somebody_ignores_an_incident_without_scripts(
    page: Page, plain: Page, served: HubProcess, database: Database
) -> None:
    fail(database, "ignored-1", "moat")
    plain.goto("/")
    plain.locator("li", has_text="open_moat").get_by_role("link").click()
    plain.get_by_label("Ignore it").select_option(label="always")
    plain.get_by_label("Why").fill("a moat is to be shut")
    plain.get_by_role("button", name="Ignore").click()
    expect(plain.locator("main")).to_contain_text("a moat is to be shut")
    page.goto("/")
    expect(page.get_by_role("heading", name="Nothing is wrong")).to_be_visible()
