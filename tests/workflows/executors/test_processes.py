"""Real processes, really killed: what their successors on this machine do, and when."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from dboshub.workflows.engine.membership.heartbeat import HeartbeatLoop
from dboshub.workflows.engine.membership.leases import Lease
from dboshub.workflows.storage.database import Database
from tests.support.eventually import eventually
from tests.workflows.executors.fleet import LEASE, QuietHost, count, status_of, tombstone
from tests.workflows.executors.process import make_heart

PROGRAM = "tests.workflows.executors.process"
SHORT = Lease(lease_ms=1_500, beat_ms=250)
Start = Callable[..., tuple[subprocess.Popen[str], str, list[str]]]


@pytest.fixture
def start(database: Database, database_url: str) -> Iterator[Start]:
    """Start a process that owns workflows; give it, its incarnation and their ids."""
    started: list[subprocess.Popen[str]] = []

    def launch(rows: int, lease: Lease = LEASE) -> tuple[subprocess.Popen[str], str, list[str]]:
        process = subprocess.Popen(
            [sys.executable, "-m", PROGRAM, database_url, str(lease.lease_ms), str(rows)],
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout
        incarnation, *ids = process.stdout.readline().split()
        return process, incarnation, ids

    yield launch
    for process in started:
        process.kill()
        process.communicate()


@contextmanager
def successor(database: Database, lease: Lease = LEASE) -> Iterator[HeartbeatLoop]:
    heart = make_heart(database, QuietHost(), lease)
    heart.start()
    try:
        yield heart
    finally:
        heart.stop()


@pytest.mark.parametrize("is_reaped", [True, False], ids=["reaped", "zombie"])
def test_a_restart_on_the_same_machine_recovers_at_once(
    database: Database, start: Start, is_reaped: bool
) -> None:
    process, incarnation, ids = start(500)
    process.kill()
    if is_reaped:
        process.wait()
    else:
        eventually(lambda: _is_zombie(process.pid))
    began = time.monotonic()
    with successor(database) as heart:
        assert time.monotonic() - began < LEASE.lease_ms / 2_000
        assert {status_of(database, each) for each in ids[:3]} == {"ENQUEUED"}
        assert count(database, "ENQUEUED") == 500
        assert tombstone(database, incarnation) == heart.incarnation


def test_a_start_takes_nothing_from_a_live_process_of_the_same_id(
    database: Database, start: Start
) -> None:
    _, incarnation, _ = start(3)
    with successor(database):
        assert count(database, "PENDING") == 3
        assert tombstone(database, incarnation) is None


def test_a_frozen_process_is_taken_over_and_wakes_as_another(
    database: Database, start: Start
) -> None:
    process, incarnation, ids = start(3, SHORT)
    with successor(database, SHORT) as heart:
        process.send_signal(signal.SIGSTOP)
        eventually(lambda: count(database, "ENQUEUED") == 3)
        assert tombstone(database, incarnation) == heart.incarnation
        process.send_signal(signal.SIGCONT)
        assert process.stdout
        word, reborn = process.stdout.readline().split()
        assert word == "again"
        assert reborn != incarnation
        assert tombstone(database, reborn) is None
        assert {status_of(database, each) for each in ids} == {"ENQUEUED"}


def _is_zombie(pid: int) -> bool:
    """Whether a killed process waits for its parent. Its other threads may end a moment later."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return fields[0] == "Z" and fields[17] == "1"
