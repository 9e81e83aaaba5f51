"""A block of a document, on each database, in a process that knows nothing of other blocks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dboshub
from dboshub import DBOS
from dboshub.queues.engine.queue_registry import queue_registry
from dboshub.schedules.engine.schedule_registry import schedule_registry
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.operations import steps
from dboshub.workflows.engine.registration.receivers import Receivers
from dboshub.workflows.engine.registration.registry import registry
from tests.docs_examples.pages import BLOCKS, Page
from tests.support.leaks import assert_no_connection, assert_no_thread_but, assert_not_open, threads
from tests.support.postgres import Server


@pytest.fixture(scope="package", params=["sqlite", "postgres"])
def shared_url(
    request: pytest.FixtureRequest,
    postgres_server: Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """A database that the blocks have together: to make one for each takes most of the time."""
    if request.param == "sqlite":
        file: Path = tmp_path_factory.mktemp("seeds") / "system.sqlite3"
        yield f"sqlite:///{file}"
        assert_not_open(file)
    else:
        with postgres_server.fresh_database() as url:
            yield url
            # Where DBOS 2 kept the system tables, if an application's database was all it was told.
            postgres_server.run(f'DROP DATABASE IF EXISTS "{url.rpartition("/")[2]}_dbos_sys"')
            assert_no_connection(postgres_server, url.rpartition("/")[2])


@pytest.fixture
def page(
    request: pytest.FixtureRequest, shared_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Page]:
    monkeypatch.setattr(registry, "workflows", {})
    monkeypatch.setattr(registry, "steps", {})
    monkeypatch.setattr(registry, "receivers", Receivers())
    monkeypatch.setattr(queue_registry, "_declared", {})
    monkeypatch.setattr(schedule_registry, "declared", {})
    monkeypatch.setitem(sys.modules, "dbos", dboshub)
    # A new version each: what is enqueued without one goes to the latest, and the blocks share
    # the tables.
    monkeypatch.setenv("DBOS__APPVERSION", f"of-{request.param}")
    monkeypatch.setenv("DBOS_SYSTEM_DATABASE_URL", shared_url)
    monkeypatch.setenv("TESTING_DATABASE_URL", shared_url)
    before = threads()
    yield Page(BLOCKS[request.param], shared_url)
    for queue in DBOS.list_queues() if current_engine.is_launched() else ():
        DBOS.delete_queue(queue.name)
    DBOS.destroy(grace_period_sec=2)
    assert_no_thread_but(before)


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps are tried again at once, however long they are told to pause."""
    monkeypatch.setattr(steps, "MAX_PAUSE_S", 0.001)


@pytest.fixture
def fast_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Durable sleeps pass ten thousand times faster."""
    sleep, sleep_async = DBOS.sleep, DBOS.sleep_async
    monkeypatch.setattr(DBOS, "sleep", lambda seconds: sleep(seconds / 10_000))
    monkeypatch.setattr(DBOS, "sleep_async", lambda seconds: sleep_async(seconds / 10_000))
