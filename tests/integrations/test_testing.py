"""The fixtures that programs of users test themselves with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from dboshub import DBOS, SetWorkflowID
from dboshub.workflows.engine import current_engine

runs = []


@DBOS.step()
def note():
    runs.append(1)
    return len(runs)


@DBOS.workflow()
def noting():
    return note()


def test_first(reset_dbos):
    with SetWorkflowID("w"):
        assert noting() == 1
    assert [each.workflow_id for each in reset_dbos.list_workflows()] == ["w"]


def test_second_finds_nothing_of_the_first(reset_dbos):
    assert DBOS.list_workflows() == []
    with SetWorkflowID("w"):
        assert noting() == 2


def test_third_runs_nothing():
    assert not current_engine.is_launched()
"""


@pytest.mark.parametrize("given", ["postgres", None])
def test_each_test_has_an_engine_on_an_empty_database(
    given: str | None, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["dboshub.testing"]\n')
    (tmp_path / "test_program.py").write_text(PROGRAM)
    env = {**os.environ, "PYTHONPATH": os.getcwd(), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    env.pop("TESTING_DATABASE_URL", None)
    if given is not None:
        env["TESTING_DATABASE_URL"] = request.getfixturevalue(f"{given}_url")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "--rootdir", str(tmp_path), str(tmp_path)],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert "3 passed" in done.stdout, done.stdout + done.stderr
