"""A `runworkers` process, and what it uses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from bench.recording import ROOT

VERSION = "1"


class Worker:
    """A worker of the sleepers on one database. It is named, so that a second one goes on."""

    def __init__(self, url: str) -> None:
        environment = {
            **os.environ,
            "DBOS_SYSTEM_DATABASE_URL": url,
            "DBOS_APP_NAME": "sleepers",
            "DBOS__APPVERSION": VERSION,
            "DBOSHUB_IMPORT": "bench.sleeping.workflows",
        }
        manage = [sys.executable, "manage.py"]
        subprocess.run([*manage, "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
        self._process = subprocess.Popen([*manage, "runworkers"], cwd=ROOT, env=environment)

    def mib(self) -> float:
        """Resident memory."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def cpu_s(self) -> float:
        """CPU time that it has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        self._process.send_signal(number)
        self._process.wait(60)
