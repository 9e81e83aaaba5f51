"""Every page in a real browser: nothing the policy forbids, nothing that shuts anybody out."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page

from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.sql import Session, Statement
from tests.browser.hub import HubProcess
from tests.browser.inspection import lifeless, listened, objections, unreached
from tests.support.runs import (
    T0,
    add_event,
    add_message,
    add_step,
    add_stream,
    add_workflow,
    delete_workflows,
    insert,
)

# The same pages come from both databases.
ONCE = pytest.mark.parametrize("served", ["sqlite"], indirect=True)
pytestmark = [pytest.mark.browser, pytest.mark.slow, ONCE]

QUEUE, SCHEDULE, FLEET = "/queues/every-mail/", "/schedules/every-night/", "/workflows/executors/"
SIGNATURE = {
    "doc": "Take an order and ship it.",
    "parameters": {
        "type": "object",
        "properties": {
            "customer": {"type": "string"},
            "gift": {"type": "boolean", "default": False},
            "size": {"enum": ["s", "m"]},
            "lines": {"type": "array"},
        },
        "required": ["customer", "lines"],
    },
}
# By area, so that processes share the walk.
PAGES = {
    "lists": (
        "/",
        "/find/",
        "/find/?q=every",
        "/find/?q=colour:red",
        "/find/?q=absent",
        "/workflows/",
        "/workflows/?status=failed&name=absent",
        "/workflows/?q=status%3Afailed+colour%3Ared+nonsense:",
        "/workflows/?columns=queue,executor,version,parent&top=1",
        "/workflows/?columns=name,error,input,output.sent,attr.customer,id,status",
        "/workflows/bulk/",
        "/workflows/bulk/new/?verb=fork_from_failure&status=failed",
        "/workflows/errors/",
        "/workflows/errors/group/?kind=ValueError&step=ship",
        "/incidents/",
        "/incidents/?state=resolved",
        "/incidents/queue/nothing",
        "/workflows/statistics/",
        "/workflows/statistics/?span=24h&sort=-p95&by=version&internal=yes",
        "/workflows/statistics/?find=nothing",
        "/preferences/",
    ),
    "workflows": (
        "/workflows/run/every-1",
        "/workflows/run/every-2",
        "/workflows/run/nobody",
        "/workflows/steps/every-1",
        "/workflows/steps/every-1?q=ship",
        "/workflows/step/2/every-1",
        "/workflows/family/every-1",
        "/workflows/value/every-1?of=input",
        "/workflows/stream/every-1?key=log",
    ),
    "comparisons": (
        "/workflows/compare/",
        "/workflows/compare/?a=every-1&b=every-4",
        "/workflows/compare/?a=every-1&b=every-3",
        "/workflows/compare/?a=every-3",
        "/workflows/compare/?a=every-1&b=nobody",
        "/workflows/compare/step/?a=every-1&b=every-4&left=1&right=1",
        "/workflows/compare/step/?a=every-1&b=every-4&left=2&right=3",
    ),
    "actions": (
        "/workflows/start/",
        "/workflows/start/every_order?app=shop",
        "/workflows/start/every_order?app=shop&like=every-1",
        "/workflows/edit/every-1",
        "/workflows/edit/every-1?json=1",
        "/workflows/edit/every-1?step=1",
        "/workflows/edit/every-1?step=2",
        "/audit/change/1000001",
        *(f"/workflows/do/{verb}/every-2" for verb in ("cancel", "resume", "delete", "send")),
        "/workflows/do/fork/every-1",
        "/workflows/do/cancel/every-1",
        FLEET,
        f"{FLEET}adopt/worker-1?app=shop",
        f"{FLEET}promote/v2?app=shop",
    ),
    "queues and schedules": (
        "/queues/",
        QUEUE,
        *(f"/queues/do/{verb}/every-mail/" for verb in ("pause", "change", "delete")),
        "/queues/nowhere/",
        "/schedules/",
        SCHEDULE,
        *(
            f"/schedules/do/{verb}/every-night/"
            for verb in ("pause", "trigger", "backfill", "delete")
        ),
        "/schedules/nowhere/",
    ),
    "others": (
        "/audit/",
        "/audit/?action=nothing",
        "/exports/",
        "/exports/new/?of=workflows&status=failed",
        "/hub/",
        "/password/",
        "/nowhere",
        "/admin/",
        "/admin/dboshub_queues/queue/add/",
    ),
    "made": (),
}
# What has an address only after somebody asked for it: the page that asks, and its button.
MADE = (
    ("/workflows/bulk/new/?verb=cancel&status=ENQUEUED", "main form[method=post] button"),
    ("/exports/new/?of=workflows", "main form[method=post] button"),
)
CHANGED = Statement("""
    INSERT INTO dboshub_audit_event (
        id, at, username, address, action, target_kind, target, reason, outcome, detail, payload
    )
    VALUES (
        1000001, 1790000000000, 'ada', '', 'edit', 'workflow', 'every-1', '', 'done',
        '{"changed": "step 1", "fork": "every-4"}',
        '{"old": ["[1]", "portable_json", false], "new": ["[2]", "portable_json", false]}'
    )
    ON CONFLICT DO NOTHING
""")
IS_PREPARED = Statement("SELECT 1 FROM {queues} WHERE name = 'every-mail'")
AWAY = Statement("ALTER TABLE workflow_schedules RENAME TO away")
BACK = Statement("ALTER TABLE away RENAME TO workflow_schedules")


def add_runs(session: Session) -> None:
    """One of every status; four of them have all that a page of a run shows."""
    add_workflow(session, "every-1", "ERROR", inputs={"a": 1}, error=ValueError("no"))
    add_step(session, "every-1", 1, "charge", output=[1, 2])
    add_step(session, "every-1", 2, "ship", error=ValueError("no"))
    add_step(session, "every-1", 3, "tell", child="every-2")
    add_event(session, "every-1", "progress", 1, 2)
    add_message(session, "every-1", "hello")
    add_stream(session, "every-1", "log", "one", "two")
    waits = {"queue_name": "every-mail", "parent_workflow_id": "every-1"}
    add_workflow(session, "every-2", "ENQUEUED", **waits)
    add_workflow(session, "every-3", "PENDING", executor_id="worker-1")
    given = {"inputs": {"a": 2, "b": "x" * 300}, "created_at": T0 - 1_000}
    add_workflow(session, "every-4", output={"sent": True}, **given)
    add_step(session, "every-4", 1, "charge", 0, 700, output=[1, 3])
    add_step(session, "every-4", 2, "pack", output={"boxes": 2})
    add_step(session, "every-4", 3, "ship", output="sent")
    for number in range(4, 20):
        add_step(session, "every-4", number, "poll", output=number)
    for status in ("CANCELLED", "DELAYED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"):
        add_workflow(session, f"every-{status}", status, created_at=T0 - 2_000)


@pytest.fixture
def database(served: HubProcess) -> Iterator[Database]:
    """Rows for every page, and no workflow of another test: lists are looked at three times."""
    database = open_database(served.database_url)
    with database.writing() as session:
        delete_workflows(session)
        add_runs(session)
        session.run(CHANGED)
        if session.one(IS_PREPARED) is None:
            insert(session, "queues", queue_id="every-q", name="every-mail", concurrency=2)
            named = {"schedule_id": "every-s", "schedule_name": "every-night"}
            more = {"workflow_name": "checkout", "schedule": "0 3 * * *", "context": "{}"}
            insert(session, "workflow_schedules", **named, **more)
            shop = {"application_name": "shop"}
            version = {"version_id": "every-v2", "version_name": "v2", "version_timestamp": T0}
            insert(session, "application_versions", **shop, **version, created_at=T0)
            worker = {"incarnation": "e" * 32, "executor_id": "worker-1", "hostname": "box"}
            beats = {"registered_at": T0, "last_beat_at": time.time_ns() // 10**6}
            load = {"pid": 7, "lease_ms": 3_600_000, "slots": 8, "busy": 2}
            offers = {"functions": json.dumps({"every_order": SIGNATURE})}
            code = shop | {"application_version": "v1"}
            insert(session, "dboshub_executor", **worker, **beats, **load, **offers, **code)
    yield database
    database.close()


@contextmanager
def unprepared(database: Database) -> Iterator[None]:
    """As long as it lasts, a table that a page reads is not there."""
    with database.writing() as session:
        session.run(AWAY)
    try:
        yield
    finally:
        with database.writing() as session:
            session.run(BACK)


@pytest.fixture(scope="session")
def already_made() -> dict[str, list[str]]:
    """Where the pages are that were asked for, by hub."""
    return {}


@pytest.fixture
def made(
    already_made: dict[str, list[str]], page: Page, served: HubProcess, database: Database
) -> list[str]:
    """Ask once for what pages show only then; where they are."""
    if served.url not in already_made:
        complaints = listened(page)
        already_made[served.url] = [_asked(page, *each) for each in MADE]
        page.request.post("/views/save/", form={"page": "workflows", "name": "Every", "query": ""})
        assert not complaints, "\n".join(complaints)
    return already_made[served.url]


def _asked(page: Page, address: str, button: str) -> str:
    page.goto(address)
    page.locator(button).first.click()
    page.wait_for_url(lambda url: address not in url)
    return page.url


@pytest.mark.parametrize("area", PAGES)
def test_no_page_breaks_the_policy_or_shuts_anybody_out(
    browser: Browser, page: Page, served: HubProcess, made: list[str], area: str
) -> None:
    complaints = listened(page)
    addresses = made if area == "made" else PAGES[area]
    for address in addresses:
        answer = page.goto(address)
        assert answer is not None
        assert answer.status in (200, 404), f"{address}: {answer.status}"
        complaints += objections(page)
        if "/admin/" not in address:
            complaints += unreached(page)
    assert not complaints, "\n".join(complaints)

    state = page.context.storage_state()
    phone = browser.new_context(
        base_url=served.url,
        storage_state=state,
        java_script_enabled=False,
        viewport={"width": 390, "height": 800},
    )
    plain = phone.new_page()
    for address in addresses:
        plain.goto(address)
        if "/admin/" not in address:
            complaints += lifeless(plain)
    phone.close()
    assert not complaints, "\n".join(complaints)


def test_neither_does_a_page_whose_table_is_not_there(page: Page, database: Database) -> None:
    complaints = listened(page)
    with unprepared(database):
        answer = page.goto(SCHEDULE)
        assert answer is not None
        assert answer.status == 503
        complaints += objections(page)
    assert not complaints, "\n".join(complaints)
