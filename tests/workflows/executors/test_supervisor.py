"""The supervisor: what crashes is recorded and started again, what is asked to stop stops."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dboshub.runtime import supervisor
from dboshub.runtime.stop_requests import StopRequests
from dboshub.runtime.supervisor import Child, Exit, supervise
from dboshub.workflows.engine.membership.incarnations import (
    ProcessIdentity,
    is_proven_dead,
    this_process,
)
from tests.support.eventually import eventually

OBEDIENT = """
import os, signal, sys
open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
signal.sigwait({signal.SIGTERM})
"""
STUBBORN = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
signal.sigwait({signal.SIGTERM})
open(sys.argv[1], "a").write("asked\\n")
signal.sigwait({signal.SIGTERM})
"""


class Supervised:
    """A supervisor in a thread, and what it did."""

    def __init__(self, program: str, diary: Path, count: int, grace: float = 20) -> None:
        self.diary = diary
        self.reaped: list[ProcessIdentity] = []
        self.stop = StopRequests()
        command = [sys.executable, "-c", program, str(diary)]
        children = [Child(command, self._mark_dead) for _ in range(count)]
        self.thread = threading.Thread(
            target=supervise, args=(children, self.stop), kwargs={"grace": grace}
        )
        self.thread.start()

    def pids(self) -> list[int]:
        lines = self.diary.read_text().split() if self.diary.exists() else []
        return [int(line) for line in lines if line.isdigit()]

    def ended(self) -> bool:
        return not self.thread.is_alive()

    def _mark_dead(self, end: Exit) -> None:
        self.reaped.append(end.process)
        raise ConnectionError("the database is out of reach")


@pytest.fixture
def diary(tmp_path: Path) -> Path:
    return tmp_path / "diary"


@pytest.fixture(autouse=True)
def no_child_is_left(diary: Path) -> Iterator[None]:
    yield
    for line in diary.read_text().split():
        if line.isdigit():
            with pytest.raises(ProcessLookupError):
                os.kill(int(line), 0)


def test_the_end_of_a_killed_child_is_recorded_and_another_started(diary: Path) -> None:
    supervised = Supervised(OBEDIENT, diary, count=2)
    first, _ = eventually(lambda: pids if len(pids := supervised.pids()) == 2 else None)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: supervised.reaped)
    assert supervised.reaped[0].pid == first
    assert is_proven_dead(supervised.reaped[0], this_process())
    eventually(lambda: len(supervised.pids()) == 3)
    supervised.stop.ask()
    eventually(supervised.ended)
    assert {each.pid for each in supervised.reaped} == set(supervised.pids())


def test_a_second_request_is_passed_on(diary: Path) -> None:
    supervised = Supervised(STUBBORN, diary, count=1)
    eventually(supervised.pids)
    supervised.stop.ask()
    eventually(lambda: "asked" in diary.read_text())
    assert not supervised.ended()
    supervised.stop.ask()
    eventually(supervised.ended)
    assert len(supervised.pids()) == 1


def test_what_ignores_its_grace_is_killed(diary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dboshub.runtime.supervisor.KILL_AFTER_GRACE", 0.1)
    supervised = Supervised(STUBBORN, diary, count=2, grace=0.1)
    eventually(lambda: len(supervised.pids()) == 2)
    supervised.stop.ask()
    eventually(supervised.ended)


def test_a_signal_ends_a_wait_and_each_counts(monkeypatch: pytest.MonkeyPatch, diary: Path) -> None:
    diary.write_text("")
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    stop = StopRequests()
    try:
        stop.on_signals()
        assert not stop.wait(0.01)
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
        assert stop.wait(10)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(10)
        assert stop.wait(10)
        assert not stop.wait(0.01)
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])


def test_a_shortage_of_the_machine_does_not_end_the_supervisor(
    diary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, refused = subprocess.Popen, threading.Event()

    def popen(*args: object, **kwargs: object) -> object:
        if not refused.is_set():
            refused.set()
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        return start(*args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(supervisor.subprocess, "Popen", popen)
    supervised = Supervised(OBEDIENT, diary, 1)
    eventually(supervised.pids, timeout=20)
    assert refused.is_set()
    supervised.stop.ask()
    eventually(supervised.ended, timeout=20)
