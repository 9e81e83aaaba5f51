"""Commands of this project in processes of their own, on any database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.launched import config, dbos, launch

__all__ = ["config", "dbos", "launch"]
ROOT = Path(__file__).resolve().parents[2]
# Runs command lines one after another, as manage.py does, in a process that starts once.
PROGRAM = """
import contextlib, io, json, sys, time
from dboshub.standalone.command_line import execute

execute(["check"], program="manage.py")
print("ready")
for words in json.loads(sys.stdin.read()):
    told, begun = io.StringIO(), time.monotonic()
    sys.argv[:], code = ["manage.py", *words], 0
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(told):
        try:
            execute(words, program="manage.py")
        except SystemExit as end:
            code = end.code
            if isinstance(code, str):
                told.write(code)
                code = 1
    answer = {"code": code, "told": told.getvalue().strip(), "seconds": time.monotonic() - begun}
    print(json.dumps(answer), flush=True)
"""
Told = list[dict[str, Any]]
RunCommands = Callable[..., Told]
Manage = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(url: str, folder: Path) -> dict[str, str]:
    given = os.environ | {
        "DJANGO_SETTINGS_MODULE": "dboshub.settings",
        "DBOS_SYSTEM_DATABASE_URL": url,
        "DBOSHUB_DATA_DIR": str(folder / "data"),
    }
    for name in ("DBOSHUB_DATABASE_POOL", "DBOSHUB_ROLLUPS", "DBOSHUB_BULK"):
        given.pop(name, None)
    return given


@pytest.fixture
def run_commands(tmp_path: Path) -> RunCommands:
    """Run commands on a database: what each told, its exit code, and its seconds."""

    def run(url: str, *commands: str, **extra: str) -> Told:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            env=environment(url, tmp_path) | extra,
            input=json.dumps([each.split() for each in commands]),
            capture_output=True,
            text=True,
            timeout=100,
        )
        answers = [json.loads(line) for line in done.stdout.partition("ready\n")[2].splitlines()]
        assert len(answers) == len(commands), done.stderr
        return answers

    return run


@pytest.fixture
def manage(tmp_path: Path) -> Manage:
    """Run one command as a person does: manage(url, "migrate")."""

    def run(url: str, *command: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=environment(url, tmp_path) | extra,
            capture_output=True,
            text=True,
            timeout=100,
        )

    return run
