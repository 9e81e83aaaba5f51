"""A process killed between the application's COMMIT and its checkpoint: one effect all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflows.datasources.conftest import Ask

ROOT = Path(__file__).resolve().parents[3]
OURS, THEIRS = "dboshub", "dbos"


def run(library: str, kind: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.workflows.datasources.program", library, kind, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (OURS, "blocking"),
        pytest.param(OURS, "awaiting", marks=pytest.mark.crash),
        pytest.param(THEIRS, "blocking", marks=pytest.mark.interop),
    ],
)
def test_what_was_committed_before_the_kill_is_not_done_again(
    first: str, kind: str, database_url: str, application_url: str, ask: Ask
) -> None:
    """Also when the one that died was the other library's: ours finds what it had recorded."""
    killed = run(first, kind, database_url, application_url, "die")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert ask("SELECT name FROM effects") == [("once",)]
    assert ask("SELECT step_id FROM dbos.datasource_outputs") == [(1,)]
    second = run(OURS, kind, database_url, application_url)
    assert second.stdout == "saved", second.stderr
    assert ask("SELECT name FROM effects") == [("once",)]
    assert ask("SELECT step_id FROM dbos.datasource_outputs") == []
