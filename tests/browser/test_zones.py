"""Times in the reader's own zone, by choice: the words stay those of the server."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from dboshub.workflows.rendering import time_format
from dboshub.workflows.storage.database import open_database
from tests.browser.hub import HubProcess
from tests.support.runs import insert

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NOW = 1_767_225_600_000
AGO = (0, 3_600_000, 86_400_000, 40 * 86_400_000, 400 * 86_400_000)
SAY = """
async ([now, times, zone]) => {
  const script = document.querySelector('script[src*="page"]').src;
  const { clock } = await import(new URL("zones.js", script));
  return times.map((ms) => clock(ms, now, zone));
}
"""


def test_script_and_server_write_a_clock_alike(page: Page) -> None:
    page.goto("/workflows/")
    times = [NOW - ago for ago in AGO]
    said = page.evaluate(SAY, [NOW, times, "UTC"])
    assert said == [time_format.clock(ms, NOW) for ms in times]
    tokyo = page.evaluate(SAY, [NOW, [NOW], "Asia/Tokyo"])
    there = datetime.fromtimestamp(NOW / 1_000, UTC).astimezone(ZoneInfo("Asia/Tokyo"))
    assert tokyo == [there.strftime("%H:%M:%S")]


@pytest.mark.parametrize("served", ["sqlite"], indirect=True)
def test_next_runs_are_told_in_the_reader_s_zone_besides_their_own(
    browser: Browser, page: Page, served: HubProcess
) -> None:
    database = open_database(served.database_url)
    named = {"schedule_id": "zoned", "schedule_name": "zoned", "workflow_name": "checkout"}
    more = {"schedule": "0 3 * * *", "cron_timezone": "Europe/Berlin", "context": "{}"}
    with database.writing() as session:
        insert(session, "workflow_schedules", **named, **more)
    database.close()
    state = page.context.storage_state()
    tokyo = browser.new_context(
        base_url=served.url, storage_state=state, timezone_id="Asia/Tokyo"
    ).new_page()
    tokyo.goto("/schedules/zoned/")
    tokyo.evaluate("localStorage.setItem('dboshub-zone', 'own')")
    tokyo.reload()
    run = tokyo.get_by_role("row").filter(has_text="03:00").first
    # Berlin's three o'clock, in winter or in summer.
    expect(run).to_contain_text(re.compile("1[01]:00"))
    tokyo.context.close()
