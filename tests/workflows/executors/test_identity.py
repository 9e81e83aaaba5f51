"""What proves that a process is dead, and what does not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dboshub.workflows.engine.membership.incarnations import (
    ProcessIdentity,
    is_proven_dead,
    new_incarnation,
    process_started,
    this_process,
    token_prefix,
)
from tests.support.eventually import eventually

MINE = this_process()


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def identity_of(process: subprocess.Popen[bytes]) -> ProcessIdentity:
    return replace(MINE, pid=process.pid, process_started=process_started(process.pid))


def test_a_running_process_is_not_dead(child: subprocess.Popen[bytes]) -> None:
    assert not is_proven_dead(identity_of(child), MINE)
    assert not is_proven_dead(MINE, MINE)


def test_a_killed_process_is_dead_before_and_after_it_was_reaped(
    child: subprocess.Popen[bytes],
) -> None:
    identity = identity_of(child)
    child.kill()
    eventually(lambda: is_proven_dead(identity, MINE))
    child.wait()
    assert is_proven_dead(identity, MINE)


def test_another_process_under_the_same_pid_proves_the_first_dead(
    child: subprocess.Popen[bytes],
) -> None:
    assert is_proven_dead(replace(identity_of(child), process_started="1"), MINE)


@pytest.mark.parametrize(
    "elsewhere", [{"boot_id": "other"}, {"pid_namespace": "other"}, {"process_started": ""}]
)
def test_a_process_that_cannot_be_seen_from_here_is_never_proven_dead(
    child: subprocess.Popen[bytes], elsewhere: dict[str, str]
) -> None:
    identity = identity_of(child)
    child.kill()
    child.wait()
    assert not is_proven_dead(replace(identity, **elsewhere), MINE)


def test_a_system_that_says_nothing_of_itself_proves_nobody_dead() -> None:
    silent = replace(MINE, boot_id="", pid_namespace="")
    assert not is_proven_dead(replace(silent, pid=2**22 - 1), silent)


def test_a_process_that_proc_hides_is_not_dead(
    child: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    identity = identity_of(child)
    assert not is_proven_dead(identity, MINE, proc=tmp_path)
    (tmp_path / str(child.pid)).mkdir()
    assert not is_proven_dead(identity, MINE, proc=tmp_path)
    child.kill()
    child.wait()
    assert is_proven_dead(identity, MINE, proc=tmp_path)


def test_this_process_knows_itself_where_there_is_a_proc() -> None:
    assert MINE.pid == os.getpid()
    assert MINE.boot_id
    assert MINE.process_started == process_started(os.getpid()) != ""


def test_a_token_holds_its_incarnation_where_the_sweep_looks_for_it() -> None:
    incarnation = new_incarnation()
    token = f"{token_prefix(incarnation)}17"
    assert token[4:36] == incarnation
    assert len(token_prefix(incarnation)) == 37
