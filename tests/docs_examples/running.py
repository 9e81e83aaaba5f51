"""Programs as their readers run them: a real process in a directory of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from tests.support.eventually import eventually

ROOT = Path(__file__).resolve().parents[2]
UNCHANGED = Path(__file__).parent / "unchanged.py"


class Running:
    """One run of a program; `lines` is what it has printed so far, errors included.

    Its imports of ``dbos`` find this project, and its web server is on $PORT.
    """

    def __init__(self, program: Path, *, cwd: Path, **env: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", str(UNCHANGED), str(program)],
            cwd=cwd,
            env={**_without_database(), "PYTHONPATH": str(ROOT), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def says(self, text: str, timeout: float = 30) -> None:
        """Wait until it has printed a text."""
        assert eventually(lambda: text in self.output or self.process.poll() is not None, timeout)
        assert text in self.output, f"it ended without saying {text!r}:\n{self.output}"

    def end(self, timeout: float = 60) -> str:
        """Wait for its end, which must be a success; returns what it printed."""
        code = self.process.wait(timeout)
        self._reader.join(5)
        assert code == 0, self.output
        return self.output

    def kill(self) -> None:
        """Do what kill -9 does."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self._reader.join(5)
        if self.process.stdout:
            self.process.stdout.close()


def _without_database() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("DBOS_")}
