"""A launched engine on each database, destroyed after the test with nothing left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dboshub import DBOS, DBOSConfig
from tests.support.eventually import eventually


def engine_threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("dboshub")]


@pytest.fixture
def config(database_url: str) -> DBOSConfig:
    return {"name": "test-app", "system_database_url": database_url}


@pytest.fixture
def launch(config: DBOSConfig) -> Iterator[Callable[..., None]]:
    """Launch with changed configuration; may be called again after ``DBOS.destroy()``."""

    def launch(**changes: Any) -> None:
        DBOS(config={**config, **changes})  # type: ignore[typeddict-item]
        DBOS.launch()

    yield launch
    DBOS.destroy(grace_period_sec=2)
    eventually(lambda: engine_threads() == [], timeout=5)


@pytest.fixture
def dbos(launch: Callable[..., None]) -> type[DBOS]:
    launch()
    return DBOS
