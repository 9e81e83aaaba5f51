"""A database that the real `dbos` created, and this project's commands on any database."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dboshub.workflows.storage.database_urls import sqlite_path
from tests.support.postgres import Server

ROOT = Path(__file__).resolve().parents[2]
Manage = Callable[..., "subprocess.CompletedProcess[str]"]
UseUrl = Callable[[str], None]

# Registered names, a queue, an event, a stream and a message: a row in nearly every table.
DBOS_PROGRAM = """
import sys
from dbos import DBOS, DBOSConfig

DBOS(config={"name": "shop", "system_database_url": sys.argv[1]})

@DBOS.step()
def price(item):
    return {"item": item, "cents": 1250}

@DBOS.workflow()
def order(item):
    found = price(item)
    DBOS.set_event("progress", "priced")
    DBOS.write_stream("log", found)
    return DBOS.recv("paid", timeout_seconds=5)

DBOS.launch()
DBOS.register_queue("orders", worker_concurrency=2)
run = DBOS.start_workflow(order, "tea")
DBOS.send(run.workflow_id, "yes", topic="paid")
assert run.get_result() == "yes"
assert DBOS.enqueue_workflow("orders", order, "cup").workflow_id
DBOS.destroy()
"""


@pytest.fixture
def manage(tmp_path: Path) -> Manage:
    """Run a command of this project on a database: manage(url, "migrate")."""

    def run(url: str, *command: str, **extra: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "dboshub.settings",
            "DBOS_SYSTEM_DATABASE_URL": url,
            "DBOSHUB_DATA_DIR": str(tmp_path),
            "DBOSHUB_DATABASE_POOL": "0",
        }
        return subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=environment | extra,
            capture_output=True,
            text=True,
            timeout=100,
        )

    return run


@pytest.fixture
def another_url(database_url: str, tmp_path: Path, postgres_server: Server) -> Iterator[str]:
    """A second empty database of the same kind as `database_url`."""
    with ExitStack() as stack:
        if database_url.startswith("sqlite"):
            yield f"sqlite:///{tmp_path / 'theirs.sqlite3'}"
        else:
            yield stack.enter_context(postgres_server.fresh_database())


@pytest.fixture(scope="session")
def run_dbos(tmp_path_factory: pytest.TempPathFactory) -> UseUrl:
    """Run the program above on a database: the real `dbos` makes what tables are missing."""
    program = tmp_path_factory.mktemp("dbos") / "program.py"
    program.write_text(DBOS_PROGRAM)

    def run(url: str) -> None:
        done = subprocess.run(
            [sys.executable, str(program), url],
            cwd=program.parent,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr

    return run


@pytest.fixture(scope="session")
def sqlite_of_dbos(run_dbos: UseUrl, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("dbos") / "made.sqlite3"
    run_dbos(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgres_of_dbos(run_dbos: UseUrl, postgres_server: Server) -> Iterator[str]:
    with postgres_server.fresh_database() as url:
        run_dbos(url)
        yield url.rpartition("/")[2]


@pytest.fixture
def make_by_dbos(request: pytest.FixtureRequest, postgres_server: Server) -> UseUrl:
    """Fill an empty database with a copy of what one run of the real `dbos` made."""

    def make(url: str) -> None:
        if url.startswith("sqlite"):
            shutil.copy(request.getfixturevalue("sqlite_of_dbos"), sqlite_path(url))
        else:
            made = request.getfixturevalue("postgres_of_dbos")
            postgres_server.replace(url.rpartition("/")[2], made)

    return make
