"""A process of the suite: stopped, killed and robbed of what the system gives it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STOP_S = 30.0


class Process:
    """Started by its creation; what it prints goes to the file `log`."""

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def end_of_input(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def stop_running(self) -> None:
        """Stop it as a debugger or a suspended machine does: it cannot notice."""
        self._process.send_signal(signal.SIGSTOP)

    def run_again(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        with suppress(OSError, ValueError):
            self.end_of_input()
        self._process.kill()
        self._process.wait()

    def limit_descriptors(self, most: int) -> None:
        _, hard = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (most, hard))

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def assert_alive(self) -> None:
        code = self._process.poll()
        assert code is None, f"it ended with {code}:\n{self.log.read_text()}"

    def assert_ended_well(self) -> None:
        try:
            code = self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it still runs:\n{self.log.read_text()}") from None
        assert code == 0, f"it ended with {code}:\n{self.log.read_text()}"
