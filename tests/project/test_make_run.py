"""`make run` keeps its two programs alive, and leaves nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.support.eventually import eventually

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
from dboshub.runtime.stop_requests import StopRequests
from scripts.run import child, keep_running

stop = StopRequests()
stop.on_signals()
command = [sys.executable, "-c", sys.argv[1]]
keep_running([child(str(n), command, reads_input=False) for n in range(2)], stop)
"""
FOREVER = "import time; time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


@contextmanager
def supervisor(child: str) -> Iterator[psutil.Popen]:
    running = psutil.Popen(
        [sys.executable, "-c", PROGRAM, child], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        yield running
    finally:
        for process in [*running.children(recursive=True), running] if running.is_running() else []:
            process.kill()
        running.wait(10)
        running.stdout.close()


def two_children(running: psutil.Popen) -> Callable[[], list[psutil.Process]]:
    return lambda: found if len(found := running.children()) == 2 else []


def test_a_crashed_program_is_started_again_and_the_other_left_alone() -> None:
    with supervisor(FOREVER) as running:
        first, second = eventually(two_children(running))
        first.kill()
        eventually(lambda: first not in running.children())
        assert second in eventually(two_children(running))
        told = running.stdout.readline()
        assert "SIGKILL" in told
        assert "again in 1 s." in told


def test_one_ctrl_c_ends_both() -> None:
    with supervisor(FOREVER) as running:
        children = eventually(two_children(running))
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 0
        assert not any(child.is_running() for child in children)
        stopping, *ends = running.stdout.read().splitlines()
        assert "Stopping" in stopping
        assert len(ends) == 2
        assert all(end.endswith(" ended (SIGTERM).") for end in ends)


def test_a_second_ctrl_c_ends_what_does_not_listen() -> None:
    with supervisor(DEAF) as running:
        children = eventually(two_children(running))
        eventually(lambda: all(_ignores_sigterm(child) for child in children))
        running.send_signal(signal.SIGINT)
        assert "Stopping" in running.stdout.readline()
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 0
        assert not any(child.is_running() for child in children)


def test_programs_do_not_outlive_a_killed_supervisor() -> None:
    with supervisor(FOREVER) as running:
        children = eventually(two_children(running))
        running.kill()
        gone, _ = psutil.wait_procs(children, timeout=10)
        assert len(gone) == 2


def _ignores_sigterm(child: psutil.Process) -> bool:
    status = Path(f"/proc/{child.pid}/status").read_text()
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:"))
    return bool(int(mask, 16) & 1 << (signal.SIGTERM - 1))
