"""The names of the package ``dboshub``: all are there, and each is imported when it is used."""

from __future__ import annotations

import ast
import pickle
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import dboshub

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "dboshub" / "__init__.py"
LIGHT = """
import sys
import dboshub.workflows.engine.errors
heavy = ("dboshub.facade", "dboshub.client", "dboshub.workflows.engine.runtime.engine")
print(*(name for name in heavy if name in sys.modules))
"""
STAR = """
from dboshub import *
assert DBOS.workflow and WorkflowStatusString.PENDING == "PENDING"
missing = [name for name in __import__("dboshub").__all__ if name not in globals()]
print(*missing)
"""
# A class that was pickled before anything else is imported is found by its own module.
UNPICKLE = """
import pickle, sys
print(repr(pickle.loads(bytes.fromhex(sys.argv[1]))))
"""


def python(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def checked_names() -> dict[str, str]:
    """What a type checker is told: each public name, and the module and name it comes from."""
    [block] = [
        node
        for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_an_import_of_one_module_does_not_bring_in_the_facade() -> None:
    assert python(LIGHT) == ""


def test_a_checker_is_told_of_the_names_that_are_there() -> None:
    told = checked_names()
    assert set(told) == set(dboshub.__all__)
    for name, home in told.items():
        module, _, attribute = home.partition(":")
        expected = (
            import_module(f"dboshub.{attribute}")
            if module == "dboshub"
            else getattr(import_module(module), attribute)
        )
        assert getattr(dboshub, name) is expected, name


def test_a_star_import_brings_every_name() -> None:
    assert python(STAR) == ""


def test_dir_lists_the_public_names_and_an_unknown_name_is_refused() -> None:
    assert {*dboshub.__all__, "__all__", "__doc__"} <= set(dir(dboshub))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = dboshub.nothing
    with pytest.raises(ImportError, match="nothing"):
        exec("from dboshub import nothing", {})


def test_what_was_pickled_is_read_by_a_process_that_has_imported_nothing() -> None:
    message = dboshub.SendMessage("somebody", {"n": 1}, "topic")
    assert python(UNPICKLE, pickle.dumps(message).hex()) == repr(message)
