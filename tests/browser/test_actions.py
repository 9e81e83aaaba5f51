"""Queues, schedules, executors, starts, exports, the log: by click, by key alone, without scripts,
and by somebody who may only look."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.sql import Statement
from tests.browser.hub import HubProcess
from tests.browser.inspection import tab_to
from tests.support.eventually import eventually
from tests.support.runs import T0, add_step, add_workflow, insert, pickled

# The same pages come from both databases.
ONCE = pytest.mark.parametrize("served", ["sqlite"], indirect=True)
pytestmark = [pytest.mark.browser, pytest.mark.slow, ONCE]

DONE = Statement(
    "SELECT action FROM dboshub_audit_event WHERE reason = :reason AND outcome = :done"
)
FLEET = "/workflows/executors/"
# What asks before it acts: page, row of it, link, button, and what is said afterwards.
ACTIONS = (
    ("/queues/{}/", "", "Pause…", "Pause the queue", "Paused: workers claim nothing more"),
    ("/queues/{}/", "", "Resume…", "Resume the queue", "Resumed: workers claim from it again"),
    ("/schedules/{}/", "", "Pause…", "Pause the schedule", "Paused. Workers notice"),
    ("/schedules/{}/", "", "Run now…", "Run it now", "Enqueued: it starts when a worker is free"),
    (FLEET, "{}-ended", "Adopt…", "Adopt its work", "Enqueued 1 workflow of {}-ended again"),
    (FLEET, "{}-version", "Promote…", "Make it the latest", "{}-version is the latest version now"),
)
AUDITED = ["pause", "resume", "pause", "trigger", "adopt", "promote", "change", "start"]
SIGNATURE = {
    "parameters": {
        "type": "object",
        "properties": {"customer": {"type": "string"}, "gift": {"type": "boolean"}},
        "required": ["customer"],
    }
}
# Page, what it says to who may not act, and where they would act.
DENIED = (
    ("/queues/{}/", "may look but not act on queues", "/queues/do/pause/{}/"),
    ("/queues/{}/", "may look but not act on queues", "/queues/do/change/{}/"),
    ("/schedules/{}/", "", "/schedules/do/trigger/{}/"),
    (FLEET, "", FLEET + "adopt/{}-ended"),
    (FLEET, "", FLEET + "promote/{}-version"),
    ("/workflows/start/{}", "lacks the permission", "/workflows/start/{}"),
    ("/workflows/bulk/new/", "may look but not act", "/workflows/bulk/new/"),
    ("/workflows/errors/group/?name={}&step=door", "after door", "/workflows/bulk/new/"),
    ("/schedules/new", "lacks the permission", "/schedules/new"),
)
# Somebody posts what no button of theirs would.
FORGE = """action => {
  const form = document.createElement("form");
  Object.assign(form, { method: "post", action });
  form.append(document.querySelector("[name=csrfmiddlewaretoken]").cloneNode());
  for (const [name, value] of [["verb", "cancel"], ["polling_interval_sec", "1"]])
    form.append(Object.assign(document.createElement("input"), { name, value }));
  document.body.append(form);
  form.submit();
}"""


@dataclass
class Hand:
    """Somebody at a page, and how they work it; all they work on bears a name of its own."""

    page: Page
    name: str
    has_scripts: bool
    has_pointer: bool

    def press(self, wanted: Locator) -> None:
        if self.has_pointer:
            wanted.click()
        else:
            tab_to(self.page, wanted, 200)
            self.page.keyboard.press("Enter")

    def fill(self, field: Locator, text: str) -> None:
        if self.has_pointer:
            field.fill(text)
        else:
            tab_to(self.page, field, 200)
            self.page.keyboard.press("ControlOrMeta+A")
            self.page.keyboard.type(text)


@pytest.fixture(params=["keys", "plain"])
def hand(request: pytest.FixtureRequest, served: HubProcess) -> Hand:
    """Who has a keyboard alone, and who has no scripts but a mouse."""
    name = f"act-{uuid.uuid4().hex[:8]}"
    prepare(served, name)
    is_plain = request.param == "plain"
    page = request.getfixturevalue("plain" if is_plain else "page")
    return Hand(page, name, has_scripts=not is_plain, has_pointer=is_plain)


def prepare(served: HubProcess, name: str) -> None:
    """A queue, a schedule, an ended executor with work, a failure, versions, a live executor."""
    database, now = open_database(served.database_url), int(time.time() * 1_000)
    with database.writing() as session:
        insert(session, "queues", queue_id=name, name=name, concurrency=2)
        named = {"schedule_id": name, "schedule_name": name, "workflow_name": "checkout"}
        insert(session, "workflow_schedules", **named, schedule="0 3 * * *", context=pickled(None))
        add_workflow(session, name, "PENDING", executor_id=f"{name}-ended", created_at=now)
        error = ValueError("shut")
        add_workflow(session, f"{name}-failed", "ERROR", name=name, error=error, created_at=now)
        add_step(session, f"{name}-failed", 1, "door", error=error)
        for version, at in ((f"{name}-version", T0), (f"{name}-newer", now)):
            ids = {"version_id": version, "version_name": version, "application_name": name}
            insert(session, "application_versions", **ids, version_timestamp=at, created_at=T0)
        who = {"incarnation": uuid.uuid4().hex, "executor_id": f"{name}-live", "hostname": "box"}
        beats = {"registered_at": now, "last_beat_at": now, "lease_ms": 3_600_000}
        load = {"pid": 7, "slots": 8, "busy": 0, "functions": json.dumps({name: SIGNATURE})}
        code = {"application_name": name, "application_version": "v1"}
        insert(session, "dboshub_executor", **who, **beats, **load, **code)
    database.close()


def actions_done(served: HubProcess, reason: str) -> list[str]:
    database = open_database(served.database_url)
    try:
        with database.reading() as session:
            return [str(row[0]) for row in session.all(DONE, reason=reason, done="done")]
    finally:
        database.close()


def test_what_is_asked_for_is_confirmed_done_said_and_logged(
    hand: Hand, served: HubProcess
) -> None:
    page, name, reason = hand.page, hand.name, f"because of {hand.name}"
    for path, row, link, button, said in ACTIONS:
        # With scripts every second one is by mouse: both ways lead into a dialog.
        hand.has_pointer = not (hand.has_scripts and hand.has_pointer)
        page.goto(path.format(name))
        place = page.get_by_role("row").filter(has_text=row.format(name)) if row else page
        hand.press(place.get_by_role("link", name=link))
        form = page.locator("#confirm")
        hand.fill(form.locator("[name=reason]"), reason)
        hand.press(form.get_by_role("button", name=button))
        expect(page.locator(".notes")).to_contain_text(said.format(name))

    hand.has_pointer = not hand.has_scripts
    # Limits are edited where they stand, and what no queue can have is said beside its field.
    page.goto(f"/queues/{name}/")
    limit = page.locator("[name=concurrency]")
    save = page.get_by_role("button", name="Save the limits")
    expect(limit).to_have_value("2")
    hand.fill(page.locator("[name=rate_limit_max]"), "5")
    hand.press(save)
    expect(page.locator("main")).to_contain_text("needs both a number and a period")
    page.goto(f"/queues/{name}/")
    hand.fill(limit, "7")
    hand.fill(page.locator("[name=reason]"), reason)
    hand.press(save)
    expect(page.locator(".notes")).to_contain_text("Saved")
    expect(limit).to_have_value("7")

    page.goto("/workflows/start/")
    hand.press(page.get_by_role("link", name=name))
    hand.fill(page.locator("[name='arg:customer']"), "ada")
    hand.fill(page.locator("[name=reason]"), reason)
    hand.press(page.get_by_role("button", name="Start the workflow"))
    expect(page.locator(".notes")).to_contain_text("Enqueued")
    expect(page.locator("main")).to_contain_text('customer="ada"')
    assert sorted(actions_done(served, reason)) == sorted(AUDITED)

    page.goto("/audit/")
    hand.fill(page.get_by_label("What", exact=True), "adopt")
    hand.fill(page.get_by_label("Target", exact=True), f"{name}*")
    hand.press(page.get_by_role("button", name="Filter"))
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text(reason)


def test_a_schedule_is_changed_backfilled_and_deleted_and_a_queue_is(
    hand: Hand, served: HubProcess
) -> None:
    page, name, reason = hand.page, hand.name, f"because of {hand.name}"
    form, notes = page.locator("#confirm"), page.locator(".notes")
    page.goto(f"/schedules/{name}/")
    hand.press(page.get_by_role("link", name="Change…"))
    hand.fill(form.locator("[name=cron]"), "0 4 * * *")
    hand.fill(form.locator("[name=reason]"), reason)
    hand.press(form.get_by_role("button", name="Change the schedule"))
    expect(notes).to_contain_text("Changed")
    expect(page.locator("main")).to_contain_text("04:00")

    hand.press(page.get_by_role("link", name="Backfill…"))
    # Typing a time by keys is the browser's own business.
    form.locator("[name=start]").fill("2026-01-01T00:00")
    form.locator("[name=end]").fill("2026-01-02T23:00")
    hand.press(form.get_by_role("button", name="Show the ticks"))
    expect(form).to_contain_text("2 ticks")
    hand.fill(form.locator("[name=reason]"), reason)
    hand.press(form.get_by_role("button", name="Start 2 runs"))
    expect(notes).to_contain_text("Enqueued 2 runs")

    for path in (f"/schedules/{name}/", f"/queues/{name}/"):
        page.goto(path)
        hand.press(page.get_by_role("link", name="Delete…"))
        hand.fill(form.locator("[name=reason]"), reason)
        hand.press(form.get_by_role("button", name="Delete the"))
        expect(notes).to_contain_text("Deleted")
    assert sorted(actions_done(served, reason)) == ["backfill", "change", "delete", "delete"]


def test_rows_that_are_checked_are_a_job_that_is_confirmed_and_followed(
    hand: Hand, served: HubProcess
) -> None:
    page, reason = hand.page, f"because of {hand.name}"
    page.goto(f"/workflows/?name={hand.name}")
    row = page.get_by_label(f"Check {hand.name}-failed")
    verb = page.locator("#bulk [name=verb]")
    if hand.has_pointer:
        row.check()
        verb.select_option("delete")
    else:
        tab_to(page, row, 200)
        page.keyboard.press("Space")
        tab_to(page, verb, 200)
        page.keyboard.type("Delete")
    expect(verb).to_have_value("delete")
    hand.press(page.get_by_role("button", name="Checked rows"))
    expect(page.locator("#job")).to_contain_text("1 workflow would be acted on")
    hand.fill(page.locator("[name=reason]"), reason)
    hand.press(page.get_by_role("button", name="Delete: 1 workflow"))

    state = page.locator(".run-state")
    if not hand.has_scripts:
        eventually(lambda: page.reload() and "Done" in state.inner_text(), timeout=30)
    # Nobody reloads it where scripts run.
    expect(state).to_contain_text("Done", timeout=30_000)


def test_an_export_is_asked_for_waited_for_and_taken(hand: Hand) -> None:
    page = hand.page
    page.goto(f"/exports/new/?of=workflows&filter=executor%3D{hand.name}-ended")
    hand.press(page.get_by_role("button", name="Export as CSV"))
    page.wait_for_url(lambda url: "/new/" not in url)
    ready = page.get_by_text("It is ready")
    if not hand.has_scripts:
        for _ in range(100):
            if ready.count():
                break
            page.wait_for_timeout(100)
            page.get_by_role("link", name="Look again").or_(ready).first.click()
    # Nobody reloads it where scripts run.
    expect(ready).to_be_visible(timeout=15_000)
    with page.expect_download() as told:
        hand.press(page.get_by_role("link", name="Download"))
    assert hand.name in told.value.path().read_text()


def test_who_may_only_look_is_offered_no_action_and_every_one_is_refused(
    viewer: Page, served: HubProcess
) -> None:
    name = f"act-{uuid.uuid4().hex[:8]}"
    prepare(served, name)
    for path, said, forged in DENIED:
        viewer.goto(path.format(name))
        main = viewer.locator("main")
        expect(main).to_contain_text(said)
        expect(main.locator("[data-dialog], .button--main, .button--danger")).to_have_count(0)
        with viewer.expect_navigation() as gone:
            viewer.evaluate(FORGE, forged.format(name))
        assert gone.value is not None
        assert gone.value.status == 403, forged
        expect(viewer.locator("main")).to_contain_text("permission")
    for path in ("/audit/", "/hub/", "/exports/new/?of=audit"):
        answer: Any = viewer.goto(path)
        assert answer.status == 403, path
        expect(viewer.locator("h1")).to_contain_text("may not")
