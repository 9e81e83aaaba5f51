"""A launched engine on each database, destroyed after the test with nothing left behind.

Its connections and files are looked for by the fixtures of the databases, when all else is closed.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dboshub import DBOS, DBOSConfig
from dboshub.workflows.engine import current_engine
from tests.support.leaks import assert_loop_is_done, assert_no_thread_but, threads


def engine_threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("dboshub")]


def loop_of_engine() -> asyncio.AbstractEventLoop | None:
    return current_engine.engine().loop._loop if current_engine.is_launched() else None


@pytest.fixture
def config(database_url: str) -> DBOSConfig:
    return {"name": "test-app", "system_database_url": database_url}


@pytest.fixture
def launch(config: DBOSConfig) -> Iterator[Callable[..., None]]:
    """Launch with changed configuration; may be called again after ``DBOS.destroy()``."""

    def launch(**changes: Any) -> None:
        DBOS(config={**config, **changes})  # type: ignore[typeddict-item]
        DBOS.launch()

    before = threads()
    yield launch
    loop = loop_of_engine()
    DBOS.destroy(grace_period_sec=2)
    assert_no_thread_but(before)
    assert_loop_is_done(loop)


@pytest.fixture
def dbos(launch: Callable[..., None]) -> type[DBOS]:
    launch()
    return DBOS
