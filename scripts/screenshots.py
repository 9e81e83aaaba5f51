"""Photograph every page of a demo into var/screenshots: light and dark, wide and 390 pixels.

Starts the project as `make run` does, in a data directory of its own, begins the demo's stories
one by one instead of at their pace, and walks through the pages in Chromium. The README's pictures
go to docs/img.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urljoin

from playwright.sync_api import Page, sync_playwright

from scripts.chromium import launch_chromium

ROOT = Path(__file__).resolve().parent.parent
NAME = "ada"
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = {"": 1280, "-390": 390}
LINK = "a[href*='/workflows/run/']"
README = ("home-light", "workflows-light", "workflows-dark", "checkout-light")
MODULES = ("carrier", "checkout", "items", "pipeline", "publisher")
STORIES = (
    ("checkout", '["lamp", 2]', "order-1041"),
    ("pay", '["order-1041"]', ""),
    *(("track_parcel", f'["parcel-{number}"]', "") for number in range(100, 106)),
    ("measure_summits", "[]", "summits"),
    ("process_items", "[10]", ""),
    ("publish_gazette", "[5]", ""),
    ("checkout", '["yacht"]', "order-1042"),
    ("checkout", '["mug", 1]', "order-1043"),
)
# What to photograph: its name, where it is, and the row to open there, if any.
PAGES: tuple[tuple[str, str, str], ...] = (
    ("home", "/", ""),
    ("incidents", "/incidents/", ""),
    ("errors", "/workflows/errors/", ""),
    ("error-group", "/workflows/errors/", "a[href*='/errors/group/']"),
    ("workflows", "/workflows/", ""),
    ("tree", "/workflows/?top=yes", "a.unfold"),
    ("failed", "/workflows/?status=ERROR", ""),
    ("checkout", "/workflows/run/order-1041", ""),
    ("waiting", "/workflows/run/order-1043", ""),
    ("pipeline", "/workflows/run/summits", ""),
    ("queue", "/workflows/?name=process_items", LINK),
    ("error", "/workflows/?status=ERROR", LINK),
    ("zoom", "/workflows/run/order-1041", "[data-zoom='+']"),
    ("steps", "/workflows/steps/order-1041", ""),
    ("family", "/workflows/family/summits", ""),
    ("compare", "/workflows/compare/?a=order-1042&b=order-1041", ""),
    ("compare-step", "/workflows/compare/step/?a=order-1042&b=order-1041&left=2&right=2", ""),
    ("step-statistics", "/workflows/statistics/", ""),
    ("start", "/workflows/start/", ""),
    ("start-form", "/workflows/start/checkout", ""),
    ("start-again", "/workflows/start/checkout?like=order-1041", ""),
    ("edit", "/workflows/edit/order-1041", ""),
    ("edit-result", "/workflows/edit/order-1041?step=1", ""),
    ("bulk", "/workflows/bulk/new/?verb=fork_from_failure&status=ERROR", ""),
    ("bulk-jobs", "/workflows/bulk/", ""),
    ("export", "/exports/new/?of=workflows", ""),
    ("queues", "/queues/", ""),
    ("queue-page", "/queues/demo-items/", ""),
    ("schedules", "/schedules/", ""),
    ("schedule-form", "/schedules/new", ""),
    ("executors", "/workflows/executors/", ""),
    ("audit", "/audit/", ""),
    ("preferences", "/preferences/", ""),
    ("hub", "/hub/", ""),
    ("admin", "/admin/", ""),
    ("admin-queues", "/admin/dboshub_queues/queue/", ""),
    ("not-found", "/nowhere/", ""),
)


@contextmanager
def demo(seconds: float) -> Iterator[tuple[str, str]]:
    """Run a demo for so long; gives its address and the administrator's password."""
    password = secrets.token_urlsafe(16)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = tempfile.mkdtemp(prefix="dboshub-demo-")
    environment = {
        **os.environ,
        "DBOSHUB_DATA_DIR": data,
        "DBOSHUB_ADMIN_NAME": NAME,
        "DBOSHUB_ADMIN_PASSWORD": password,
        "DBOSHUB_IMPORT": ",".join(f"dboshub.demo.{module}" for module in MODULES),
    }
    environment.pop("DBOS_SYSTEM_DATABASE_URL", None)
    command = [sys.executable, "-m", "scripts.run", "--no-demo", "--port", str(port)]
    running = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(f"{address}/healthz", running)
        for name, arguments, workflow_id in STORIES:
            start = [sys.executable, "manage.py", "workflow", "start", name, "--args", arguments]
            start += ["--id", workflow_id] if workflow_id else []
            subprocess.run(start, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        time.sleep(seconds)
        yield address, password
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(60)
        shutil.rmtree(data, ignore_errors=True)


def _wait_for(address: str, running: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while running.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    sys.exit("The demo did not start.")


def log_in(page: Page, address: str, password: str) -> None:
    page.goto(f"{address}/login/")
    page.fill("input[name=username]", NAME)
    page.fill("input[name=password]", password)
    page.click("form button[type=submit], form .button--main")
    page.wait_for_url(lambda url: "/login/" not in url)


def photograph(page: Page, address: str, target: Path, suffix: str) -> None:
    """Take each page from top to bottom; a phone's are as long as they need to be."""
    for name, path, link in PAGES:
        page.goto(address + path)
        if link:
            href = page.locator(link).first.get_attribute("href", timeout=5_000)
            page.goto(urljoin(page.url, href))
        page.wait_for_load_state("networkidle")
        page.evaluate("scrollTo(0, 0)")  # what is fixed to the window would lie over the page
        page.screenshot(path=target / f"{name}{suffix}.png", full_page=True)
        print(f"  {name}{suffix}.png", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="let the stories run so long")
    parser.add_argument("--into", type=Path, default=ROOT / "var" / "screenshots")
    options = parser.parse_args()
    options.into.mkdir(parents=True, exist_ok=True)

    with demo(options.seconds) as (address, password), sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        for theme in THEMES:
            for suffix, width in WIDTHS.items():
                page = browser.new_page(
                    viewport={"width": width, "height": 900}, color_scheme=theme
                )
                page.goto(f"{address}/login/")
                page.screenshot(path=options.into / f"login-{theme}{suffix}.png")
                log_in(page, address, password)
                photograph(page, address, options.into, f"-{theme}{suffix}")
                page.close()
        browser.close()
    for name in README:
        shutil.copy(options.into / f"{name}.png", ROOT / "docs" / "img")


if __name__ == "__main__":
    main()
