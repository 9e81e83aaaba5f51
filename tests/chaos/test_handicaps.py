"""What is taken away from a process is really not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.chaos.world import HANDICAPS

CLOCKS = """
import time
right = time.clock_gettime(time.CLOCK_REALTIME)
from datetime import UTC, datetime
shown = [
    time.time(),
    time.time_ns() / 10**9,
    datetime.now().timestamp(),
    datetime.now(UTC).timestamp(),
    datetime.utcnow().replace(tzinfo=UTC).timestamp(),
]
assert isinstance(datetime(2000, 1, 2), datetime) and datetime.now() > datetime.min
print([round((each - right) / 60) for each in shown])
"""
THREADS = """
import os, threading
from pathlib import Path
thread = threading.Thread(target=print, args=("started",))
wanted = Path(os.environ["DBOSHUB_DATA_DIR"], f"no-threads-{os.getpid()}")
wanted.touch()
try:
    thread.start()
except RuntimeError as error:
    print(error)
wanted.unlink()
thread.start()
"""


def output(program: str, folder: Path, **environment: str) -> str:
    given = {**os.environ, "PYTHONPATH": str(HANDICAPS), "DBOSHUB_DATA_DIR": str(folder)}
    command = [sys.executable, "-c", program]
    return subprocess.run(
        command, env={**given, **environment}, check=True, capture_output=True, text=True
    ).stdout


def test_every_clock_is_wrong(tmp_path: Path) -> None:
    assert output(CLOCKS, tmp_path, CHAOS_CLOCK="-3600") == "[-60, -60, -60, -60, -60]\n"
    assert output(CLOCKS, tmp_path) == "[0, 0, 0, 0, 0]\n"


def test_no_thread_is_started_while_the_file_is_there(tmp_path: Path) -> None:
    assert output(THREADS, tmp_path) == "can't start new thread\nstarted\n"
