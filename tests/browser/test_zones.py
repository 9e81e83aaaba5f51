"""Times in the reader's own zone, by choice: the words stay those of the server."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page

from workflows import moments

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
    assert said == [moments.clock(ms, NOW) for ms in times]
    tokyo = page.evaluate(SAY, [NOW, [NOW], "Asia/Tokyo"])
    there = datetime.fromtimestamp(NOW / 1_000, UTC).astimezone(ZoneInfo("Asia/Tokyo"))
    assert tokyo == [there.strftime("%H:%M:%S")]
