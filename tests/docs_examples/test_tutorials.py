"""The tutorial's three whole programs run unchanged, as processes, on both databases."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.sql import Statement
from tests.docs_examples.pages import BLOCKS
from tests.docs_examples.running import Running
from tests.support.eventually import eventually
from tests.support.ports import free_port

STEPS = Statement(
    """
    SELECT function_name, count(*)
    FROM {operation_outputs}
    GROUP BY function_name
    """
)
STATUSES = Statement("SELECT name, status FROM {workflow_status} ORDER BY created_at")

PROGRAMS = {
    "first": BLOCKS["dbos-tutorial-1"],
    "server": BLOCKS["dbos-tutorial-6"],
    "ten_items": BLOCKS["dbos-tutorial-9"],
}
Start = Callable[..., Running]


@pytest.fixture(params=["sqlite", "postgres"])
def system_url(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    """None for the tutorials' default: a SQLite file where the program was started."""
    return None if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def start(system_url: str | None, tmp_path: Path) -> Iterator[Start]:
    started: list[Running] = []

    def start(name: str, **env: str) -> Running:
        if system_url is not None:
            env["DBOS_SYSTEM_DATABASE_URL"] = system_url
        program = tmp_path / "main.py"
        program.write_text(PROGRAMS[name].code, "utf-8")
        started.append(Running(program, cwd=tmp_path, **env))
        return started[-1]

    yield start
    for running in started:
        running.kill()


@pytest.fixture
def ask(system_url: str | None, tmp_path: Path) -> Callable[[Statement], list[Any]]:
    """Ask the database that the program used."""

    def ask(question: Statement) -> list[Any]:
        [file] = [system_url] if system_url else [*map(str, tmp_path.glob("*.sqlite"))]
        database = open_database(file if system_url else f"sqlite:///{file}")
        try:
            with database.reading() as session:
                return [tuple(row) for row in session.all(question)]
        finally:
            database.close()

    return ask


def test_the_first_program_says_what_the_tutorial_says(start: Start) -> None:
    output = start("first").end()
    said = [line for line in output.splitlines() if "completed!" in line]
    assert said == [
        "Step one completed!",
        "Step two completed!",
        "Workflow completed! Got: Result from step one and Result from step two",
    ]


def test_the_first_program_leaves_its_checkpoints_behind(
    start: Start, ask: Callable[[Statement], list[Any]]
) -> None:
    start("first").end()
    assert ask(STATUSES) == [("my_first_workflow", "SUCCESS")]
    assert dict(ask(STEPS)) == {"step_one": 1, "step_two": 1}


def test_the_server_killed_at_work_goes_on_after_its_restart(
    start: Start, ask: Callable[[Statement], list[Any]]
) -> None:
    port = free_port()
    server = start("server", PORT=str(port))
    server.says("Uvicorn running")
    request = threading.Thread(target=_visit_in_vain, args=(port,))
    request.start()
    server.says("Working... 3/5")
    server.kill()
    request.join(10)
    assert ask(STATUSES) == [("dbos_workflow", "PENDING")]

    again = start("server", PORT=str(port))
    again.says("Step two completed!")
    assert "Step one completed!" in server.output
    assert "Step one completed!" not in again.output
    eventually(lambda: ask(STATUSES) == [("dbos_workflow", "SUCCESS")])
    assert dict(ask(STEPS)) == {"step_one": 1, "DBOS.sleep": 5, "step_two": 1}


def test_the_server_answers_with_the_workflows_result(start: Start) -> None:
    port = free_port()
    start("server", PORT=str(port)).says("Uvicorn running")
    answer = httpx.get(f"http://127.0.0.1:{port}/", timeout=30)
    assert answer.json() == {"status": "complete", "step1": "Step 1 done", "step2": "Step 2 done"}


def test_ten_items_of_two_seconds_take_about_two_seconds(start: Start) -> None:
    port = free_port()
    start("ten_items", PORT=str(port)).says("Uvicorn running")
    begun = time.monotonic()
    answer = httpx.get(f"http://127.0.0.1:{port}/", timeout=40).json()
    assert time.monotonic() - begun < 15  # one by one they take twenty
    assert answer["items_processed"] == 10
    assert answer["results"] == [f"Item {number} processed" for number in range(10)]


def _visit_in_vain(port: int) -> None:
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://127.0.0.1:{port}/", timeout=30)
