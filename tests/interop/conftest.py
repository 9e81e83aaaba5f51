"""Executors of both libraries, and what their shared database says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.sql import Statement
from tests.interop.executors import Executor

Run = Callable[..., Executor]


@pytest.fixture
def run(database_url: str, tmp_path: Path) -> Iterator[Run]:
    """Start an executor: run(OURS), run(THEIRS, name="other-application")."""
    started: list[Executor] = []

    def run(library: str, **config: Any) -> Executor:
        started.append(Executor(library, database_url, tmp_path, **config))
        return started[-1]

    yield run
    for executor in started:
        executor.kill()


@pytest.fixture
def ask(database_url: str) -> Iterator[Callable[..., list[tuple[Any, ...]]]]:
    """Ask the shared database: ask("SELECT … FROM {workflow_status} WHERE x = :x", x=1)."""
    database = open_database(database_url)

    def ask(question: str, **values: Any) -> list[tuple[Any, ...]]:
        with database.reading() as session:
            return [tuple(row) for row in session.all(Statement(question), **values)]

    yield ask
    database.close()


@pytest.fixture
def diary(tmp_path: Path) -> Callable[[], list[str]]:
    """What steps of either library noted, in order."""
    return lambda: (tmp_path / "diary").read_text().splitlines()


@pytest.fixture
def open_gate(tmp_path: Path) -> Callable[[], None]:
    return lambda: (tmp_path / "gate").touch()
