"""Programs that import ``dbos`` run unchanged, and find every name of its errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import dboshub
from dboshub.workflows.engine import errors

ROOT = Path(__file__).resolve().parents[3]
UNCHANGED = """
import dbos
import dbos.error
from dbos import DBOS, DBOSConfig, SetWorkflowID, error
from dbos.error import DBOSException, DBOSNonExistentWorkflowError

assert error is dbos.error

@DBOS.step()
def greet(name):
    return f"hello {name}"

@DBOS.workflow()
def greeting(name):
    return greet(name)

DBOS(config=DBOSConfig(name="unchanged", system_database_url="sqlite:///unchanged.sqlite"))
DBOS.launch()
with SetWorkflowID("w"):
    print(greeting("world"))
try:
    DBOS.retrieve_workflow("nobody")
except dbos.error.DBOSNonExistentWorkflowError as missing:
    assert isinstance(missing, DBOSException)
    print("nobody is missing")
print(DBOS.list_workflow_steps("w")[0]["function_name"])
DBOS.destroy()
"""
ALIASED = "import dboshub; dboshub.install_as_dbos()\n"
TWICE = "dboshub.install_as_dbos()\n"
MODULES = """
import importlib
import dbos
from dbos._error import DBOSException
from dbos._queue import Queue, QueueRateLimit

assert DBOSException is dbos.error.DBOSException and Queue is dbos.Queue
# The second is a module of this package, which would be loaded once more under that name.
for name in ("dbos.cli.cli", "dbos.config", "dbos._sys_db"):
    try:
        importlib.import_module(name)
    except ImportError as missing:
        print(missing)
"""
TOO_LATE = "import dbos\nimport dboshub; dboshub.install_as_dbos()\n"


def run(program: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_program_that_imports_dbos_runs_unchanged(tmp_path: Path) -> None:
    done = run(ALIASED + TWICE + UNCHANGED, tmp_path)
    assert done.stdout.splitlines() == ["hello world", "nobody is missing", "greet"], done.stderr


def test_modules_of_the_other_library_are_there_or_say_what_to_import(tmp_path: Path) -> None:
    done = run(ALIASED + TWICE + MODULES, tmp_path)
    told = done.stdout.splitlines()
    assert [each.split()[3] for each in told] == ["dbos.cli", "dbos.config", "dbos._sys_db"], (
        done.stderr
    )
    assert all("public names from dbos, errors from dbos.error" in each for each in told)


def test_after_the_other_library_was_imported_it_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("dbos")
    done = run(TOO_LATE, tmp_path)
    assert "before anything imports it" in done.stderr


def test_every_error_with_a_code_is_exported() -> None:
    coded = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and getattr(value, "code", None) and value.__name__ == name
    }
    assert coded - {"DatabaseUrlError"} <= set(dboshub.error.__all__)


@pytest.mark.parametrize("module", [dboshub, dboshub.error])
def test_every_exported_name_is_there(module: object) -> None:
    names = module.__all__  # type: ignore[attr-defined]
    assert len(names) == len({*names})
    assert [name for name in names if not hasattr(module, name)] == []
