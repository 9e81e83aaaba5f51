"""A launched engine on each database, destroyed after the test with nothing left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dboshub import DBOS, DBOSConfig
from schedules.engine.plan import plan
from tests.support.eventually import eventually
from workflows.engine.registry import registry


def engine_threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("dboshub")]


@pytest.fixture
def config(database_url: str) -> DBOSConfig:
    return {"name": "test-app", "system_database_url": database_url}


@pytest.fixture
def launch(
    config: DBOSConfig, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., None]]:
    """Launch with changed configuration; may be called again after ``DBOS.destroy()``."""
    # What other modules scheduled would fire here, too: they share the process.
    mine = {
        name: cron
        for name, cron in plan.declared.items()
        if registry.workflows[name].function.__module__ == request.module.__name__
    }
    monkeypatch.setattr(plan, "declared", mine)

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
