"""What a user's type checker is told of the public classes."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from dboshub import DBOS, DBOSClient, Queue

ROOT = Path(__file__).resolve().parents[2]
# Written out, because it is iterated over and not awaited.
ITERATED = "read_stream_async"


@pytest.mark.timeout(300)  # the first time it reads everything
def test_a_checker_knows_every_call_by_its_parameters_and_result() -> None:
    pytest.importorskip("mypy")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "tests/project/typed_program.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("public", [DBOS, DBOSClient])
def test_every_call_that_waits_has_a_twin_that_takes_the_same(public: type) -> None:
    awaited = {name for name in dir(public) if name.endswith("_async")} - {ITERATED}
    assert awaited
    for name in awaited:
        twin, call = getattr(public, name), getattr(public, name.removesuffix("_async"))
        assert inspect.iscoroutinefunction(twin), name
        assert inspect.signature(twin).parameters == inspect.signature(call).parameters


def test_every_setting_of_a_queue_has_its_readers_and_writers() -> None:
    settings = {name.removeprefix("set_") for name in dir(Queue) if name.startswith("set_")}
    for name in {each.removesuffix("_async") for each in settings}:
        for method in (f"get_{name}_async", f"set_{name}", f"set_{name}_async"):
            assert getattr(Queue, method).__name__ == method
        assert hasattr(Queue, name)


def test_the_package_says_that_it_has_types() -> None:
    assert (ROOT / "dboshub" / "py.typed").exists()
