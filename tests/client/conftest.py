"""A client beside a launched application, and on a database where nothing is launched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dboshub import DBOS, DBOSClient, DBOSConfig
from dboshub.workflows.storage.database import Database
from tests.support.eventually import eventually
from tests.support.launched import config, engine_threads, launch

__all__ = ["config", "launch"]

MakeClient = Callable[..., DBOSClient]


@pytest.fixture
def make_client(database_url: str) -> Iterator[MakeClient]:
    """Clients of this test's database, destroyed after it with nothing left behind."""
    made: list[DBOSClient] = []

    def make(**options: Any) -> DBOSClient:
        made.append(DBOSClient(system_database_url=database_url, **options))
        return made[-1]

    yield make
    for each in made:
        each.destroy()
    DBOS.destroy()
    eventually(lambda: engine_threads() == [])


@pytest.fixture
def alone(database: Database, make_client: MakeClient) -> DBOSClient:
    """A client of a database that no application serves."""
    return make_client()


@pytest.fixture
def client(config: DBOSConfig, launch: Callable[..., None], make_client: MakeClient) -> DBOSClient:
    """A client of a database that an application serves, on a queue called ``jobs``."""
    launch()
    DBOS.register_queue("jobs", polling_interval_sec=0.1)
    return make_client()
