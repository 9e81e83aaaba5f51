"""Runs begun by one library are finished by the other, step for step, and never by both."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import Run
from tests.interop.executors import OURS, ROOT, THEIRS, Executor
from tests.support.eventually import eventually

pytestmark = pytest.mark.interop

STEPS = """
    SELECT function_id, function_name, completed_at_epoch_ms
    FROM {operation_outputs}
    WHERE workflow_uuid = 'run'
    ORDER BY function_id
"""
STATUS = "SELECT status, recovery_attempts FROM {workflow_status} WHERE workflow_uuid = 'run'"
TOLD = [2, "a letter", 6, "gate opened", 6, 12]
Ask = Callable[..., list[tuple[Any, ...]]]
Diary = Callable[[], list[str]]


def begin(executor: Executor, diary: Diary) -> None:
    """Start the long story and let it come to its gate."""
    executor.do("start", "long_story", "run")
    eventually(lambda: f"{executor.library} waits gate" in diary())


def runworkers(url: str, folder: Path, *options: str) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "DBOS_SYSTEM_DATABASE_URL": url,
        "DBOS_APP_NAME": "story",
        "DBOS__APPVERSION": "v1",
        "DBOSHUB_DATA_DIR": str(folder),
        "STORY_FOLDER": str(folder),
    }
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    manage = [sys.executable, str(ROOT / "manage.py")]
    subprocess.run([*manage, "migrate", "--no-input"], cwd=ROOT, env=environment, check=True)
    return subprocess.Popen([*manage, "runworkers", *options], cwd=ROOT, env=environment)


def test_what_a_dead_executor_of_dbos_left_is_adopted_on_purpose(
    run: Run,
    ask: Ask,
    diary: Diary,
    open_gate: Callable[[], None],
    database_url: str,
    tmp_path: Path,
) -> None:
    theirs = run(THEIRS, executor_id="their-machine")
    begin(theirs, diary)
    theirs.kill()
    before = ask(STEPS)
    open_gate()

    options = ("--import", "tests.interop.story", "--adopt-executor", "their-machine")
    worker = runworkers(database_url, tmp_path, *options)
    try:
        eventually(lambda: ask(STATUS) == [("SUCCESS", 2)], timeout=30)
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)
    assert ask(STEPS)[: len(before)] == before
    assert diary() == [
        "dbos double 1",
        "dbos swallowed ValueError",
        "dbos waits gate",
        "dboshub swallowed ValueError",
        "dboshub waits gate",
        "dboshub double 3",
    ]
    assert run(THEIRS).do("result", "run") == TOLD


def test_nobody_of_ours_takes_it_unasked(run: Run, ask: Ask, diary: Diary) -> None:
    theirs = run(THEIRS, executor_id="their-machine")
    begin(theirs, diary)
    theirs.kill()
    ours = run(OURS)
    ours.do("start", "triple", "something else", 1)
    assert ours.do("result", "something else") == 3
    assert ask(STATUS) == [("PENDING", 1)]


def test_a_namesake_of_the_dead_executor_goes_on_with_its_work_at_launch(
    run: Run, ask: Ask, diary: Diary, open_gate: Callable[[], None]
) -> None:
    theirs = run(THEIRS, executor_id="local")
    begin(theirs, diary)
    theirs.kill()
    open_gate()
    assert run(OURS, executor_id="local").do("result", "run") == TOLD
    assert "dboshub double 1" not in diary()


def test_what_ours_left_is_finished_by_an_executor_of_dbos(
    run: Run, ask: Ask, diary: Diary, open_gate: Callable[[], None]
) -> None:
    ours = run(OURS, executor_id="local")
    begin(ours, diary)
    ours.kill()
    before = ask(STEPS)
    open_gate()
    assert run(THEIRS, executor_id="local").do("result", "run") == TOLD
    assert ask(STEPS)[: len(before)] == before
    assert diary() == [
        "dboshub double 1",
        "dboshub swallowed ValueError",
        "dboshub waits gate",
        "dbos swallowed ValueError",
        "dbos waits gate",
        "dbos double 3",
    ]


@pytest.mark.parametrize("first", [THEIRS, OURS])
def test_results_that_came_in_any_order_are_those_of_their_workflows(
    first: str, run: Run, ask: Ask, diary: Diary, open_gate: Callable[[], None]
) -> None:
    dying = run(first, executor_id="local")
    dying.do("start", "results_in_any_order", "run")
    eventually(lambda: f"{first} waits gate" in diary())
    dying.kill()
    before = ask(STEPS)
    open_gate()
    second = run(OURS if first == THEIRS else THEIRS, executor_id="local")
    told = second.do("result", "run")
    assert told == [10, 4, 12, 3, 2, 1, 14, "gate opened", 16, "triple"]
    assert ask(STEPS)[: len(before)] == before


@pytest.mark.parametrize("first", [THEIRS, OURS])
def test_a_run_taken_from_a_living_executor_is_finished_by_its_new_owner_alone(
    first: str, run: Run, ask: Ask, diary: Diary, open_gate: Callable[[], None]
) -> None:
    second = OURS if first == THEIRS else THEIRS
    loser = run(first, executor_id="loser", queues=[])
    loser.ask("call", "long_story", "run")
    eventually(lambda: f"{first} waits gate" in diary())
    winner = run(second, executor_id="winner")
    winner.do("queue", "rescue")
    winner.do("resume", "run", "rescue")
    eventually(lambda: f"{second} waits gate" in diary())
    open_gate()
    assert winner.do("result", "run") == TOLD
    assert loser.answer() == ["OK", TOLD]
    assert f"{first} double 3" not in diary()
    numbers = [number for number, *_ in ask(STEPS)]
    assert numbers == [*range(1, len(numbers) + 1)]
