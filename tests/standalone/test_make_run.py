"""`make run` on a database that somebody named: nothing is created unless it is asked for."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from dboshub.workflows.storage.database_urls import sqlite_path
from tests.standalone.foreign import assert_unchanged, dump
from tests.standalone.process import PASSWORD, ROOT, environment, run
from tests.support.eventually import eventually
from tests.support.ports import free_port

WORKS = "runs workflows"


@contextmanager
def make_run(url: str, folder: Path, *options: str) -> Iterator[Path]:
    """Run what `make run` runs until the block ends; the file of what it says."""
    port, log = free_port(), folder / "log"
    given = environment(
        DBOS_SYSTEM_DATABASE_URL=url,
        DBOSHUB_DATA_DIR=str(folder / "data"),
        DBOSHUB_ADMIN_PASSWORD=PASSWORD,
    )
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "scripts.run", "--port", str(port), *options],
            cwd=ROOT,
            env=given,
            stdout=output,
            stderr=output,
        )

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)

    try:
        eventually(answers, timeout=60, interval=0.1)
        yield log
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, log.read_text()


@pytest.mark.parametrize("foreign_url", ["sqlite", "postgres"], indirect=True)
def test_it_only_looks_and_says_how_to_run_a_worker(foreign_url: str, tmp_path: Path) -> None:
    before = dump(foreign_url)
    with make_run(foreign_url, tmp_path) as log:
        assert "No worker runs, and no table was made." in log.read_text()
        assert "-m dboshub runworkers --import YOUR_MODULE" in log.read_text()
    assert_unchanged(before, dump(foreign_url))
    assert WORKS not in log.read_text()


@pytest.mark.parametrize("foreign_url", ["sqlite"], indirect=True)
def test_once_it_is_migrated_a_worker_runs_there_without_the_demo(
    foreign_url: str, tmp_path: Path
) -> None:
    given = {"DBOS_SYSTEM_DATABASE_URL": foreign_url, "DBOSHUB_DATA_DIR": str(tmp_path / "data")}
    migrated = run("migrate", "--verbosity", "0", cwd=tmp_path, **given)
    assert migrated.returncode == 0, migrated.stderr
    with make_run(foreign_url, tmp_path) as log:
        eventually(lambda: WORKS in log.read_text(), timeout=60)
    with closing(sqlite3.connect(sqlite_path(foreign_url))) as connection:
        schedules = connection.execute("SELECT schedule_name FROM workflow_schedules").fetchall()
        names = connection.execute("SELECT DISTINCT name FROM workflow_status").fetchall()
    assert schedules == [("nightly",)]
    assert {name for (name,) in names} <= {"order", "pack", "fail"}


def test_a_database_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    given = environment(DBOS_SYSTEM_DATABASE_URL=f"sqlite:///{tmp_path}/none/x.sqlite3")
    done = subprocess.run(
        [sys.executable, "-m", "scripts.run", "--port", str(free_port())],
        cwd=ROOT,
        env=given,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"Cannot connect to SQLite database {tmp_path}/none/x.sqlite3: ")
    assert len(done.stderr.splitlines()) == 1
    assert not any(tmp_path.iterdir())
