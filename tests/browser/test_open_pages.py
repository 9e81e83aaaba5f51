"""Pages that stay open hear of what others do: queues, schedules, executors, errors, audit log,
bulk jobs."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.sql import Session, Statement, cached_statement
from tests.browser.hub import HubProcess
from tests.support.runs import add_step, add_workflow, insert

pytestmark = [pytest.mark.browser, pytest.mark.slow]
# Such pages are looked at every ten seconds.
WITHIN_MS = 40_000
# Jobs and the log are tables of Django's, which lie elsewhere than the engine's on PostgreSQL.
AUDITED = Statement(
    "INSERT INTO dboshub_audit_event"
    " (at, username, address, outcome, action, target_kind, target, reason, detail) VALUES"
    " (:at, :username, :address, :outcome, :action, :target_kind, :target, :reason, '{}')"
)
JOB = 770_077
BEAT = "UPDATE {{dboshub_executor}} SET last_beat_at = {} WHERE executor_id = 'open-elder'"


@pytest.fixture
def database(served: HubProcess) -> Iterator[Database]:
    opened = open_database(served.database_url)
    yield opened
    opened.close()


def add_executor(session: Session, executor_id: str, *, heard_at: int) -> None:
    who = {"incarnation": uuid.uuid4().hex, "executor_id": executor_id, "hostname": "box"}
    beats = {"registered_at": heard_at, "last_beat_at": heard_at, "lease_ms": 3_600_000}
    code = {"application_name": "shop", "application_version": "v1", "functions": json.dumps({})}
    insert(session, "dboshub_executor", **who, **beats, **code, pid=7, slots=8, busy=0)


def add_job(session: Session) -> None:
    """A job that was stopped, with a third of its set done."""
    how = {"verb": "cancel", "state": "stopped", "options": "{}", "left_out": "{}", "filter": ""}
    who = {"username": "bo", "address": "", "reason": "open-rush", "note": "", "lease_owner": ""}
    counts = {"total": 30, "done": 10, "skipped": 0, "failed": 0, "is_capped": False}
    now = int(time.time() * 1_000)
    times = {"created_at": now, "started_at": now, "next_at": 0, "lease_until": 0}
    columns = {"id": JOB, **how, **who, **counts, **times}
    names, values = ", ".join(columns), ", ".join(f":{name}" for name in columns)
    session.run(Statement(f"INSERT INTO dboshub_bulk ({names}) VALUES ({values})"), **columns)


def expect_progress(jobs: Page, job: Page) -> None:
    expect(job.locator(".run-state")).to_contain_text("20 of 30", timeout=WITHIN_MS)
    expect(job.get_by_label("Reason")).to_have_value("because")
    row = jobs.get_by_role("row").filter(has_text="open-rush")
    expect(row.locator("[data-label=Done]")).to_have_text("20", timeout=WITHIN_MS)


def test_open_pages_hear_of_what_others_do(page: Page, database: Database) -> None:
    with database.writing() as session:
        insert(session, "queues", queue_id="open-q", name="open-mail", concurrency=2)
        named = {"schedule_id": "open-s", "schedule_name": "open-nightly"}
        ticks = {"workflow_name": "checkout", "schedule": "0 3 * * *", "context": "{}"}
        insert(session, "workflow_schedules", **named, **ticks)
        add_job(session)
        add_executor(session, "open-elder", heard_at=int(time.time() * 1_000) - 600_000)
    tabs = {}
    for path in (
        "/queues/?q=open-",
        "/queues/open-mail",
        "/schedules/?q=open-",
        "/schedules/open-nightly",
        "/workflows/executors/",
        "/workflows/errors/?name=open-gate",
        "/audit/",
        "/workflows/bulk/",
        f"/workflows/bulk/{JOB}/",
    ):
        tab = tabs[path] = page.context.new_page()
        tab.goto(path)
        expect(tab.locator("#live-state")).to_have_text("Live")
    limits = tabs["/queues/open-mail"].locator("[name=concurrency]")
    limits.fill("7")
    tabs[f"/workflows/bulk/{JOB}/"].get_by_label("Reason").fill("because")

    now = int(time.time() * 1_000)
    with database.writing() as session:
        for number in range(3):
            on = {"queue_name": "open-mail", "created_at": now, "name": "open-task"}
            add_workflow(session, f"open-{number}", "ENQUEUED", **on)
        paused = "UPDATE {workflow_schedules} SET status = 'PAUSED' WHERE schedule_id = 'open-s'"
        session.run(cached_statement(paused))
        session.run(cached_statement(BEAT.format(now)))
        session.run(cached_statement(f"UPDATE dboshub_bulk SET done = 20 WHERE id = {JOB}"))
        add_executor(session, "open-worker", heard_at=now)
        failed = {"name": "open-gate", "error": ValueError("shut"), "completed_at": now}
        add_workflow(session, "open-failed", "ERROR", **failed)
        add_step(session, "open-failed", 1, "open", error=ValueError("shut"))
        who = {"at": now, "username": "bo", "address": "10.0.0.1", "outcome": "done"}
        what = {"action": "pause", "target_kind": "queue", "target": "open-mail", "reason": "rush"}
        session.run(AUDITED, **who, **what)

    waiting = tabs["/queues/?q=open-"].get_by_role("row").filter(has_text="open-mail")
    expect(waiting).to_contain_text("3", timeout=WITHIN_MS)
    line = tabs["/queues/open-mail"].locator("[aria-labelledby=line]")
    expect(line).to_contain_text("open-task", timeout=WITHIN_MS)
    # What somebody is typing stays.
    expect(limits).to_have_value("7")
    expect_progress(tabs["/workflows/bulk/"], tabs[f"/workflows/bulk/{JOB}/"])
    nightly = tabs["/schedules/?q=open-"].get_by_role("row").filter(has_text="open-nightly")
    expect(nightly).to_contain_text("Paused", timeout=WITHIN_MS)
    state = tabs["/schedules/open-nightly"].get_by_role("region", name="State")
    expect(state).to_contain_text("Paused", timeout=WITHIN_MS)
    fleet = tabs["/workflows/executors/"]
    elder = fleet.get_by_role("row").filter(has_text="open-elder").locator("[data-cell]")
    expect(elder).not_to_contain_text("min ago", timeout=WITHIN_MS)
    expect(fleet.get_by_role("row").filter(has_text="open-worker")).to_be_visible(timeout=WITHIN_MS)
    errors = tabs["/workflows/errors/?name=open-gate"]
    more = errors.get_by_role("link", name="The failed runs have changed")
    expect(more).to_be_visible(timeout=WITHIN_MS)
    more.focus()
    errors.keyboard.press("Enter")
    expect(errors.get_by_role("row").filter(has_text="open-gate")).to_be_visible()
    expect(tabs["/audit/"].get_by_role("link", name="There are new entries")).to_be_visible(
        timeout=WITHIN_MS
    )
