"""People click, and a real worker obeys; a real foreign program works, and people see it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.sql import Statement
from tests.browser.hub import ROOT, HubProcess

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AUDIT = Statement(
    # What was clicked: not how it began, nor that its payloads were seen.
    "SELECT action, reason, outcome FROM dboshub_audit_event"
    " WHERE target = :id AND action NOT IN ('start', 'view payload') ORDER BY id"
)


@pytest.fixture
def worker(served: HubProcess) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "runworkers", "--import", "tests.browser.worker_app"],
        cwd=ROOT,
        env=served.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield
    process.terminate()
    process.wait(30)


def start(served: HubProcess, workflow_id: str) -> None:
    command = ["manage.py", "workflow", "start", "browser.order", "--id", workflow_id]
    # The worker may not have said yet what it runs.
    command += ["--args", json.dumps([7]), "--force"]
    subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=served.environment,
        check=True,
        capture_output=True,
    )


def audited(served: HubProcess, workflow_id: str) -> list[tuple[str, str, str]]:
    database = open_database(served.database_url)
    try:
        with database.reading() as session:
            return [(row[0], row[1], row[2]) for row in session.all(AUDIT, id=workflow_id)]
    finally:
        database.close()


def confirm(page: Page, verb: str, reason: str = "") -> None:
    """Click an action and its confirmation, in a dialog or on a page of its own.

    Ends on the page that the action leads to: the one before may show its effect earlier.
    """
    page.locator(f'a[data-needs="{verb}"]').first.click()
    form = page.locator("#confirm")
    if reason:
        form.locator("[name=reason]").fill(reason)
    with page.expect_navigation():
        form.locator("button").last.click()


def status(page: Page, word: str) -> None:
    expect(page.locator(".run .status").first).to_contain_text(word, timeout=15_000)


def test_a_worker_does_what_is_clicked_and_the_log_says_why(
    page: Page, served: HubProcess, worker: None
) -> None:
    start(served, "order 1/a")
    page.goto("/workflows/run/order%201/a")
    expect(page.locator("main")).to_contain_text("waiting", timeout=15_000)
    confirm(page, "cancel", "customer called")
    status(page, "Cancelled")
    confirm(page, "resume", "called again")
    status(page, "Running")
    page.get_by_text("Send a message").first.click()
    page.locator("[name=topic]").fill("payment")
    page.locator("[name=value]").fill('"paid"')
    page.locator("form:has([name=topic]) button").last.click()
    status(page, "Succeeded")
    expect(page.locator("main")).to_contain_text("paid 7")
    confirm(page, "fork", "once more")
    expect(page.locator("h1")).to_contain_text("browser.order")
    verbs = [verb for verb, _, outcome in audited(served, "order 1/a") if outcome == "done"]
    assert [verb.split("_")[0] for verb in verbs] == ["cancel", "resume", "send", "fork"]
    assert audited(served, "order 1/a")[0][1] == "customer called"


# The same pages come from both databases, and a worker obeys on both above.
@pytest.mark.parametrize("served", ["sqlite"], indirect=True)
def test_it_is_steered_without_scripts(
    page: Page, browser: Browser, served: HubProcess, worker: None
) -> None:
    start(served, "order-plain")
    context = browser.new_context(
        base_url=served.url,
        java_script_enabled=False,
        storage_state=page.context.storage_state(),
    )
    plain = context.new_page()
    plain.goto("/workflows/run/order-plain")
    confirm(plain, "cancel", "no scripts")
    status(plain, "Cancelled")
    confirm(plain, "delete")
    plain.goto("/workflows/run/order-plain")
    expect(plain.locator("main")).to_contain_text("order-plain")
    assert [outcome for _, _, outcome in audited(served, "order-plain")] == ["done", "done"]
    context.close()


def test_a_foreign_program_is_seen_within_two_seconds(page: Page, served: HubProcess) -> None:
    url = served.database_url.replace("postgresql://", "postgresql+psycopg://")
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.browser.foreign_app", url],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert program.stdin is not None
    assert program.stdout is not None
    try:
        assert program.stdout.readline() == "STARTED\n"
        page.goto("/workflows/?name=foreign_order")
        row = page.locator('tr[data-key="foreign/1"]')
        expect(row.locator("[data-cell=status]")).to_contain_text("Running")
        expect(page.locator("#live-state")).to_have_text("Live")
        program.stdin.write("\n")
        program.stdin.flush()
        assert program.stdout.readline() == "ENDED\n"
        expect(row.locator("[data-cell=status]")).to_contain_text("Succeeded", timeout=2_000)
    finally:
        program.stdin.write("\n")
        program.stdin.close()
        program.wait(30)
