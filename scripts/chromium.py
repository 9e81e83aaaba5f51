"""The Chromium that browser tests, screenshots and measurements drive."""

from __future__ import annotations

import os
import shutil

from playwright.sync_api import Browser, Playwright

# The shell has no window to draw: the same pages cost it a third less.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def launch_chromium(playwright: Playwright) -> Browser:
    """Start the installed one, `DBOSHUB_TEST_CHROMIUM` if set, or Playwright's own download."""
    installed = (path for name in NAMES if (path := shutil.which(name)))
    path = os.environ.get("DBOSHUB_TEST_CHROMIUM") or next(installed, None)
    return playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
