"""Times in the zone that somebody chose: the words of the script are those of the server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from dboshub.workflows.rendering import time_format
from dboshub.workflows.rendering.time_zone import shown_in
from dboshub.workflows.storage.database import open_database
from tests.browser.hub import HubProcess
from tests.live.foreign import ForeignWriter
from tests.support.runs import insert

ONCE = pytest.mark.parametrize("served", ["sqlite"], indirect=True)
pytestmark = [pytest.mark.browser, pytest.mark.slow, ONCE]

NOW = 1_767_225_600_120
AGO = (0, 3_600_000, 86_400_000, 40 * 86_400_000, 200 * 86_400_000, 400 * 86_400_000)
ZONES = ("UTC", "Asia/Tokyo", "Europe/London", "America/St_Johns", "Asia/Kathmandu")
SAY = """
async ([now, times, zone]) => {
  const script = document.querySelector('script[src*="page"]').src;
  const { absolute, clock } = await import(new URL("zones.js", script));
  return times.map((ms) => [clock(ms, now, zone), absolute(ms, zone)]);
}
"""


@pytest.fixture
def in_no_zone(page: Page) -> Iterator[Page]:
    """A page of somebody who has chosen no zone before and has none after."""
    yield page
    choose(page, "")


def choose(page: Page, zone: str) -> None:
    page.goto("/preferences/")
    page.get_by_label("Time zone", exact=True).select_option(zone)
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".notes")).to_contain_text("Times are written in")


@pytest.mark.parametrize("zone", ZONES)
def test_script_and_server_write_a_time_alike(page: Page, zone: str) -> None:
    page.goto("/workflows/")
    times = [NOW - ago for ago in AGO]
    said = page.evaluate(SAY, [NOW, times, zone])
    with shown_in(lambda: UTC if zone == "UTC" else ZoneInfo(zone)):
        assert said == [[time_format.clock(ms, NOW), time_format.absolute(ms)] for ms in times]


def test_what_is_pushed_is_in_the_zone_of_each_page(
    browser: Browser, in_no_zone: Page, viewer: Page, served: HubProcess
) -> None:
    database = open_database(served.database_url)
    writer = ForeignWriter(database)
    writer.add("zoned run", created_at=NOW, name="zoned")
    choose(in_no_zone, "Asia/Tokyo")
    for page in (in_no_zone, viewer):
        page.goto("/workflows/run/zoned run")
        expect(page.locator("#live-state")).to_have_text("Live")
    created = "#facts .facts > div:first-child"
    here = in_no_zone.locator(created)
    expect(here).to_contain_text("Created Asia/Tokyo")
    expect(viewer.locator(created)).to_contain_text("Created UTC")
    # No moment in which the time is another: each text that was there is kept.
    in_no_zone.evaluate(
        """
        (selector) => {
          globalThis.seen = new Set();
          const look = () => {
            const place = document.querySelector(selector);
            const time = place?.querySelector("time");
            if (time) seen.add(time.title + place.querySelector(".clock").textContent);
          };
          look();
          const all = { childList: true, subtree: true, characterData: true, attributes: true };
          new MutationObserver(look).observe(document.querySelector("#facts"), all);
        }
        """,
        created,
    )
    writer.change("zoned run", status="SUCCESS", completed_at=NOW + 1_000)
    for page in (in_no_zone, viewer):
        expect(page.locator("#facts .facts")).to_contain_text("Ended")
    assert len(in_no_zone.evaluate("[...seen]")) == 1
    times = [each.get_attribute("title") for each in in_no_zone.locator("#facts time").all()]
    with shown_in(lambda: ZoneInfo("Asia/Tokyo")):
        assert times[:2] == [time_format.absolute(NOW), time_format.absolute(NOW + 1_000)]
    seen = viewer.locator("#facts time").first.get_attribute("title")
    assert seen == time_format.absolute(NOW)
    database.close()


def test_the_zone_of_the_browser_is_one_click_away(
    browser: Browser, in_no_zone: Page, served: HubProcess
) -> None:
    there = browser.new_context(
        base_url=served.url,
        storage_state=in_no_zone.context.storage_state(),
        timezone_id="Asia/Tokyo",
    )
    page = there.new_page()
    page.goto("/workflows/")
    expect(page.locator("html")).to_have_attribute("data-zone", "UTC")
    page.locator(".menu > summary", has_text="ada").click()
    page.get_by_role("button", name="Asia/Tokyo").click()
    expect(page.locator("html")).to_have_attribute("data-zone", "Asia/Tokyo")
    assert page.url.endswith("/workflows/")
    there.close()


def test_a_zone_is_chosen_without_scripts(in_no_zone: Page, plain: Page) -> None:
    choose(plain, "Europe/Berlin")
    plain.goto("/workflows/")
    expect(plain.locator("html")).to_have_attribute("data-zone", "Europe/Berlin")
    plain.locator(".menu > summary", has_text="ada").click()
    plain.get_by_role("button", name="UTC", exact=True).click()
    expect(plain.locator("html")).to_have_attribute("data-zone", "UTC")


def test_next_runs_are_told_in_the_reader_s_zone_besides_their_own(
    in_no_zone: Page, served: HubProcess
) -> None:
    database = open_database(served.database_url)
    named = {"schedule_id": "zoned", "schedule_name": "zoned", "workflow_name": "checkout"}
    more = {"schedule": "0 3 * * *", "cron_timezone": "Europe/Berlin", "context": "{}"}
    with database.writing() as session:
        insert(session, "workflow_schedules", **named, **more)
    database.close()
    choose(in_no_zone, "Asia/Tokyo")
    in_no_zone.goto("/schedules/zoned/")
    run = in_no_zone.get_by_role("row").filter(has_text="03:00").first
    # Berlin's three o'clock, in winter or in summer.
    expect(run).to_contain_text(re.compile("1[01]:00"))
    expect(in_no_zone.get_by_role("columnheader", name="Asia/Tokyo").first).to_be_visible()
