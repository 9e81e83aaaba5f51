"""The dashboard that is attacked, as it is run, over a filled database."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.filling import fill
from bench.loaded.pages import Visitor, batches
from dboshub.standalone.server_stop import STOP_S
from dboshub.workflows.storage.database import Database, open_database
from tests.browser.hub import PASSWORD, ROOT, HubProcess
from tests.live.foreign import ForeignWriter

WITNESS, VIEWER, WITNESSED = "ada", "vera", "witnessed"
# What it may take beyond its limit until its parent knows.
REAPED_S = 2.0


class AttackedHub(HubProcess):
    settings = "dboshub.settings"
    witnessed = WITNESSED

    def __init__(self, url: str, data: Path) -> None:
        super().__init__(url, data)
        # What it is by default.
        for name in ("DBOSHUB_DATABASE_POOL", "DBOSHUB_BULK"):
            del self.environment[name]

    def fill(self, rows: int) -> tuple[Database, ForeignWriter]:
        """Fill its database, and make those who visit it."""
        fill(self.database_url, rows)
        self.prepare(WITNESS)
        self.add_user(VIEWER, group="DBOSHub viewer")
        database = open_database(self.database_url)
        writer = ForeignWriter(database)
        writer.add(WITNESSED, name="witnessed", application_name="shop")
        return database, writer

    def target(self) -> dict[str, Any]:
        """What an attacker knows who is signed in as a viewer."""
        viewer = Visitor(self.url, VIEWER, PASSWORD)
        regions = batches(viewer.regions(f"/workflows/run/{WITNESSED}"))
        return {"port": self.port, "cookies": viewer.cookies, "regions": regions}

    def attack(
        self, names: list[str], target: dict[str, Any], seconds: float
    ) -> subprocess.Popen[str]:
        """Begin floods, in a process of their own."""
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.attacked.generator", *names],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps({**target, "seconds": seconds}))
        process.stdin.close()
        return process

    def told(self, process: subprocess.Popen[str]) -> str:
        """What an attacker says at its end, which comes by itself."""
        assert process.stdout is not None
        with process.stdout:
            text = process.stdout.read()
        process.wait()
        return text

    def memory_mib(self) -> float:
        """What the web process holds in memory."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next((each for each in status.splitlines() if each.startswith("VmRSS")), "VmRSS: 0")
        return int(line.split()[1]) / 1_024

    def seconds_to_stop(self) -> float | None:
        """How long it runs on after SIGTERM; None, if beyond its limit."""
        assert self.process is not None
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_S + REAPED_S)
        except subprocess.TimeoutExpired:
            return None
        return time.monotonic() - begun
