"""A process of the suite: stopped, killed and robbed of what the system gives it."""

from __future__ import annotations

import resource
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STOP_S = 30.0
# Every process has more open; poll() needs room for those that it is asked about.
FEW = 8


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

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        with suppress(BrokenPipeError):
            self.end_of_input()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stopped as by a debugger or a suspended machine: it cannot notice."""
        self._process.send_signal(signal.SIGSTOP)
        yield
        self._process.send_signal(signal.SIGCONT)

    @contextmanager
    def without_descriptors(self) -> Iterator[None]:
        """It can use the files and sockets that it has, and open no other one."""
        before = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (FEW, before[1]))
        yield
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, before)

    def assert_alive(self) -> None:
        code = self._process.poll()
        assert code is None, f"it ended with {code}:\n{self.log.read_text()}"

    def assert_ended_well(self) -> None:
        try:
            code = self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it still runs:\n{self.log.read_text()}") from None
        assert code == 0, f"it ended with {code}:\n{self.log.read_text()}"
