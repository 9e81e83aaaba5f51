"""`dboshub replay` checks code against what the other library recorded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.interop.conftest import Run
from tests.interop.executors import ROOT, THEIRS

SETTINGS = "DJANGO_SETTINGS_MODULE"


def replay(url: str, folder: Path, **environment: str) -> tuple[int, Any]:
    """The exit code, and what is told of each replayed run."""
    given = ("replay", "--from-database", "--url", url, "-m", "tests.interop.story", "--json")
    inherited = {name: each for name, each in os.environ.items() if name != SETTINGS}
    places = {"STORY_FOLDER": str(folder), "DBOSHUB_DATA_DIR": str(folder / "hub")}
    done = subprocess.run(
        [sys.executable, "-m", "dboshub", *given],
        cwd=ROOT,
        env={**inherited, **places, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_what_dbos_recorded_agrees_with_the_same_code(
    run: Run, database_url: str, tmp_path: Path, open_gate: Callable[[], None]
) -> None:
    open_gate()
    theirs = run(THEIRS, name="story", executor_id="local")
    for story in ("every_call", "long_story", "upgraded"):
        theirs.do("start", story, story)
        theirs.do("result", story)
    theirs.do("call", "every_async_call", "every_async_call")
    theirs.stop()
    code, told = replay(database_url, tmp_path)
    differing = {each["workflow_id"]: each["divergences"] for each in told["runs"]}
    assert code == 1
    # Neither library records what is done to the table of queues.
    assert [each["kind"] for each in differing.pop("every_call")][:1] == ["unrecorded"]
    assert {*map(len, differing.values())} == {0}
    assert {"long_story", "every_async_call", "upgraded"} < {*differing}
    _, told = replay(database_url, tmp_path, STORY_CODE="patched")
    [upgraded] = [each for each in told["runs"] if each["workflow_id"] == "upgraded"]
    assert upgraded["agrees"]
