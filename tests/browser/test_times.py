"""The clock in the page and the one on the server use the same words."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from dboshub.workflows.rendering import time_format

# The same pages come from both databases.
ONCE = pytest.mark.parametrize("served", ["sqlite"], indirect=True)
pytestmark = [pytest.mark.browser, pytest.mark.slow, ONCE]

NOW = 1_767_225_600_000
SPANS = (0, 1, 999, 1_000, 59_000, 60_000, 61_000, 3_599_000, 3_600_000, 86_399_000, 90_061_000)
SAY = """
async ([now, spans]) => {
  const script = document.querySelector('script[src*="page"]').src;
  const { relative, going } = await import(new URL("times.js", script));
  return spans.map((span) => [relative(now - span, now), relative(now + span, now), going(span)]);
}
"""


def test_script_and_server_say_the_same(page: Page) -> None:
    page.goto("/workflows/")
    said = page.evaluate(SAY, [NOW, SPANS])
    whole = [span // 1_000 * 1_000 for span in SPANS]
    assert said == [
        [
            time_format.relative(NOW - span, NOW),
            time_format.relative(NOW + span, NOW),
            time_format.duration(seconds) if seconds else "0 s",
        ]
        for span, seconds in zip(SPANS, whole, strict=True)
    ]
