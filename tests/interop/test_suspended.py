"""What one library suspended is woken by the other, or by another process, and never too early."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.interop.conftest import Run
from tests.interop.executors import OURS, THEIRS
from tests.support.eventually import eventually

pytestmark = pytest.mark.interop

ROW = """
    SELECT status, delay_until_epoch_ms, recovery_attempts
    FROM {workflow_status}
    WHERE workflow_uuid = 'run'
"""
AFTER = """
    SELECT started_at_epoch_ms
    FROM {operation_outputs}
    WHERE workflow_uuid = 'run' AND function_id = 3
"""
NEXT_LOOK = "UPDATE {workflow_status} SET delay_until_epoch_ms = 1 RETURNING workflow_uuid"
Ask = Callable[..., list[tuple[Any, ...]]]
Diary = Callable[[], list[str]]


def suspend(run: Run, ask: Ask, name: str, *arguments: Any) -> int:
    """Let a process of ours suspend a workflow, and kill it; returns when it is due."""
    first = run(OURS, suspend_after_sec=0.2)
    first.do("start", name, "run", *arguments)
    eventually(lambda: ask(ROW)[0][0] == "DELAYED")
    first.kill()
    _, due, attempts = ask(ROW)[0]
    assert attempts == 0
    return int(due)


@pytest.mark.parametrize("library", [OURS, THEIRS])
def test_a_sleeper_of_a_dead_process_wakes_at_its_time(
    run: Run, ask: Ask, diary: Diary, library: str
) -> None:
    due = suspend(run, ask, "naps", 4.0)
    assert run(library).do("result", "run") == [library]
    assert diary() == [f"{OURS} double 1", f"{library} double 2"]
    status, until, attempts = ask(ROW)[0]
    assert (status, until, attempts) == ("SUCCESS", due, 1)
    assert ask(AFTER)[0][0] >= due


def test_a_message_wakes_it_in_another_process_of_ours(run: Run, ask: Ask) -> None:
    suspend(run, ask, "awaits_post")
    another = run(OURS)
    another.do("send", "run", "a letter", "post")
    assert another.do("result", "run") == [OURS, "a letter"]


def test_a_message_that_nobody_noticed_is_found(run: Run, ask: Ask) -> None:
    suspend(run, ask, "awaits_post")
    theirs = run(THEIRS, name="another-application", application_version="theirs")
    theirs.do("send", "run", "a letter", "post")
    theirs.kill()
    assert run(OURS).do("result", "run") == [OURS, "a letter"]


def test_the_other_library_finds_the_message_at_its_next_look(run: Run, ask: Ask) -> None:
    suspend(run, ask, "awaits_post")
    theirs = run(THEIRS)
    theirs.do("send", "run", "a letter", "post")
    assert ask(ROW)[0][0] == "DELAYED"
    ask(NEXT_LOOK)
    assert theirs.do("result", "run") == [THEIRS, "a letter"]
