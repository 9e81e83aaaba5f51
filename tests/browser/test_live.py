"""Pages that follow the database in a real browser, through crashes of the server too."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from dboshub.workflows.storage.database import open_database
from tests.browser.hub import HubProcess
from tests.live.foreign import ForeignWriter

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def writer(served: HubProcess) -> Iterator[ForeignWriter]:
    database = open_database(served.database_url)
    yield ForeignWriter(database)
    database.close()


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the console and the page complain about from here on."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda said: found.append(said.text) if said.type == "error" else None)
    return found


def row(page: Page, workflow_id: str) -> Any:
    return page.locator(f'tr[data-key="{workflow_id}"]')


def state(page: Page) -> Any:
    return page.locator("#live-state")


def test_a_list_follows_foreign_writes(
    page: Page, writer: ForeignWriter, complaints: list[str]
) -> None:
    for number in range(5):
        writer.add(f"order {number}")
    page.goto("/workflows/?name=order")
    expect(state(page)).to_have_text("Live")
    name = row(page, "order 2").locator("[data-row-link]")
    name.focus()
    writer.change("order 2", status="ERROR", completed_at=int(time.time() * 1000))
    expect(row(page, "order 2").locator("[data-cell=status]")).to_contain_text(
        "Failed", timeout=2_000
    )
    expect(name).to_be_focused()
    writer.change("order 1", name="invoice")
    expect(row(page, "order 1")).to_contain_text("no longer matches", timeout=2_000)
    writer.add("order 5", created_at=int(time.time() * 1000) + 60_000)
    bar = page.locator(".news")
    expect(bar).to_have_text("1 new, 1 changed")
    expect(row(page, "order 5")).to_have_count(0)
    bar.get_by_role("link").click()
    expect(row(page, "order 5")).to_be_visible()
    expect(row(page, "order 1")).to_have_count(0)
    expect(page.locator(".news")).to_be_hidden()
    writer.change("order 5", status="SUCCESS")
    expect(row(page, "order 5").locator("[data-cell=status]")).to_contain_text("Succe")
    assert complaints == []


def test_a_killed_server_is_reconnected_to_and_caught_up_with(
    page: Page, writer: ForeignWriter, served: HubProcess
) -> None:
    writer.add("crash")
    page.goto("/workflows/")
    expect(state(page)).to_have_text("Live")
    served.kill()
    expect(state(page)).to_have_text("Reconnecting")
    writer.change("crash", status="CANCELLED")
    served.start()
    expect(state(page)).to_have_text("Live", timeout=30_000)
    expect(row(page, "crash").locator("[data-cell=status]")).to_contain_text("Cancelled")


def test_a_paused_page_stands_still_and_then_catches_up(
    page: Page, writer: ForeignWriter, complaints: list[str]
) -> None:
    writer.add("pause")
    page.goto("/workflows/")
    expect(state(page)).to_have_text("Live")
    page.get_by_role("button", name="Pause").click()
    expect(state(page)).to_have_text("Paused")
    writer.change("pause", status="ERROR")
    page.wait_for_timeout(1_500)
    expect(row(page, "pause").locator("[data-cell=status]")).not_to_contain_text("Failed")
    page.get_by_role("button", name="Resume").click()
    expect(row(page, "pause").locator("[data-cell=status]")).to_contain_text("Failed")
    expect(state(page)).to_have_text("Live")
    assert complaints == []


def test_back_shows_a_list_that_is_true_again(page: Page, writer: ForeignWriter) -> None:
    writer.add("back")
    page.goto("/workflows/")
    expect(state(page)).to_have_text("Live")
    row(page, "back").locator("[data-row-link]").click()
    page.wait_for_url("**/run/back")
    writer.change("back", status="ERROR")
    page.go_back()
    expect(row(page, "back").locator("[data-cell=status]")).to_contain_text("Failed")
    expect(state(page)).to_have_text("Live")


def test_who_is_signed_out_elsewhere_is_told(page: Page, writer: ForeignWriter) -> None:
    writer.add("signed")
    page.goto("/workflows/")
    expect(state(page)).to_have_text("Live")
    page.context.clear_cookies()
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Resume").click()
    expect(state(page)).to_have_text("Signed out")


def lasting(part: Locator) -> str:
    """Its HTML without the words that count seconds."""
    return re.sub(r"(data-relative[^>]*>)[^<]*", r"\1", part.inner_html())


def test_a_workflow_page_grows_and_keeps_what_its_reader_opened(
    page: Page, writer: ForeignWriter, complaints: list[str]
) -> None:
    workflow_id = "order/7 🐒"
    writer.add(workflow_id)
    step(writer, workflow_id, 1, "charge_card")
    page.goto("/workflows/run/order%2F7%20%F0%9F%90%92")
    expect(state(page)).to_have_text("Live")
    first = page.locator("#steps details").first
    first.locator("summary").click()
    expect(first).to_have_attribute("open", "")
    fetched = first.locator(".line-detail")
    expect(fetched).to_contain_text("Output")
    before = lasting(fetched)
    step(writer, workflow_id, 2, "send_mail")
    expect(page.locator("#steps")).to_contain_text("send_mail", timeout=2_000)
    expect(first).to_have_attribute("open", "")
    assert lasting(fetched) == before
    event = {"workflow_uuid": workflow_id, "key": "progress", "value": '"halfway"'}
    writer.insert("workflow_events", **event, serialization="portable_json")
    expect(page.locator("#events")).to_contain_text("halfway", timeout=2_000)
    writer.change(workflow_id, status="SUCCESS", completed_at=int(time.time() * 1000))
    expect(page.locator("#facts")).to_contain_text("Succe", timeout=2_000)
    writer.delete(workflow_id)
    expect(page.locator("#facts")).to_have_class("run-facts is-gone", timeout=15_000)
    assert complaints == []


def test_a_stream_is_followed_to_its_end(
    page: Page, writer: ForeignWriter, complaints: list[str]
) -> None:
    writer.add("stream")
    values(writer, 0, *(f"value {number}" for number in range(40)))
    page.goto("/workflows/run/stream")
    page.get_by_role("link", name="Follow").click()
    expect(state(page)).to_have_text("Live")
    items = page.locator(".stream-values > li")
    expect(items.last).to_contain_text("value 39")
    shown = items.count()
    page.evaluate("document.querySelector('.stream-values').scrollTop = 1e6")
    values(writer, 40, "value 40")
    expect(items.last).to_contain_text("value 40", timeout=2_000)
    expect(items).to_have_count(shown + 1)
    expect(items.last).to_be_in_viewport()
    page.evaluate("document.querySelector('.stream-values').scrollTop = 0")
    values(writer, 41, "value 41", "value 42")
    expect(items.last).to_contain_text("value 42", timeout=2_000)
    page.get_by_role("button", name="newer").click()
    expect(items.last).to_be_in_viewport()
    assert complaints == []


def step(writer: ForeignWriter, workflow_id: str, number: int, name: str) -> None:
    now = int(time.time() * 1000)
    times = {"started_at_epoch_ms": now - 50, "completed_at_epoch_ms": now}
    row = {"workflow_uuid": workflow_id, "function_id": number, "function_name": name}
    output = {"output": json.dumps(number), "serialization": "portable_json"}
    writer.insert("operation_outputs", **row, **times, **output)


def values(writer: ForeignWriter, first: int, *given: str) -> None:
    for offset, value in enumerate(given, first):
        row = {"workflow_uuid": "stream", "key": "log", "function_id": 1, "offset": offset}
        text = {"value": json.dumps(value), "serialization": "portable_json"}
        writer.insert("streams", **row, **text)
