"""`dboshub dashboard` as a process, and somebody who is logged in to it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import httpx

from tests.packaging.crawl import Visitor
from tests.standalone import used_data
from tests.standalone.used_data import PASSWORD
from tests.support.eventually import eventually
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
UNSET = ("DJANGO_SETTINGS_MODULE", "DBOS_SYSTEM_DATABASE_URL", "DBOSHUB_DATABASE_URL")


def environment(**given: str) -> dict[str, str]:
    """The environment of a person who has set nothing else of ours."""
    found = {key: value for key, value in os.environ.items() if not key.startswith("DBOS")}
    for name in UNSET:
        found.pop(name, None)
    return found | {"PYTHONPATH": str(ROOT)} | given


def run(
    *arguments: str, cwd: Path, timeout: float = 60, **given: str
) -> subprocess.CompletedProcess[str]:
    """Run one command of `dboshub` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "dboshub", *arguments],
        cwd=cwd,
        env=environment(**given),
        capture_output=True,
        text=True,
        timeout=timeout,
    )


class Dashboard:
    """A dashboard that answers on a port, and its files."""

    def __init__(self, port: int, data: Path, log: Path) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.data = data
        self.log = log

    @property
    def hub_file(self) -> Path:
        [found] = (self.data / "dashboards").glob("*.sqlite3")
        return found

    def audit(self) -> list[tuple[str, str]]:
        """Action and outcome of each row of the audit log, oldest first."""
        with closing(sqlite3.connect(self.hub_file)) as connection:
            return connection.execute(
                "SELECT action, outcome FROM dboshub_audit_event ORDER BY id"
            ).fetchall()

    @contextmanager
    def visitor(self) -> Iterator[Visitor]:
        """The administrator, logged in."""
        # To read the certificates of the machine takes longer than a page does.
        with httpx.Client(base_url=self.address, timeout=30, verify=False) as client:
            visitor = Visitor(client)
            visitor.log_in("admin", PASSWORD)
            yield visitor


@contextmanager
def dashboard(
    url: str, folder: Path, options: Sequence[str] = (), used: Path | None = None
) -> Iterator[Dashboard]:
    """Run `dboshub dashboard --url …` in an empty directory until the block ends.

    Its data directory is new, or as `used` made it for earlier dashboards.
    """
    port, data = free_port(), folder / "data"
    if used is not None:
        used_data.copy(used, data, url)
    (folder / "empty").mkdir(exist_ok=True)
    served = Dashboard(port, data, folder / "dashboard.log")
    command = [sys.executable, "-m", "dboshub", "dashboard", "--url", url]
    command += ["--port", str(port), "--data-dir", str(data), *options]
    with served.log.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder / "empty",
            env=environment(DBOSHUB_ADMIN_PASSWORD=PASSWORD),
            stdout=log,
            stderr=log,
        )
    try:
        eventually(lambda: _answers(served, process), timeout=60, interval=0.1)
        yield served
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0, served.log.read_text()
    assert not any((folder / "empty").iterdir())


def _answers(served: Dashboard, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, served.log.read_text()
    with urllib.request.urlopen(f"{served.address}/healthz", timeout=5) as answer:
        return bool(answer.status == 200)
