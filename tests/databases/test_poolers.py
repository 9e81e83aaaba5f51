"""Who listens through a pooler in transaction mode is told that nothing arrives. PgBouncer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest

from dboshub import DBOSClient
from dboshub.doctor.notifications import notifications
from dboshub.workflows.engine.background import failing
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.schema.migrate import migrate
from dboshub.workflows.storage.waiting import notify
from dboshub.workflows.storage.waiting.notify import listen
from tests.chaos.pooler import Pooler
from tests.chaos.servers import OwnServer, own_server
from tests.support.eventually import eventually


@pytest.fixture(autouse=True)
def soon_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "PROBE_S", 0.2)


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    with own_server() as running:
        database = open_database(running.url)
        migrate(database)
        database.close()
        yield running


@pytest.fixture(scope="module")
def pooler(server: OwnServer) -> Iterator[Pooler]:
    with Pooler(server) as running:
        yield running


def test_to_listen_past_no_pooler_works(server: OwnServer) -> None:
    connected: list[None] = []
    listen(
        server.url,
        ["any"],
        on_connected=lambda: connected.append(None),
        on_notice=lambda channel, payload: None,
        is_over=lambda: bool(connected),
    )
    assert connected


def test_to_listen_through_one_is_an_error(pooler: Pooler) -> None:
    with pytest.raises(psycopg.NotSupportedError, match="behind_pooler"):
        listen(
            pooler.url,
            ["any"],
            on_connected=lambda: pytest.fail("it cannot listen"),
            on_notice=lambda channel, payload: None,
            is_over=lambda: False,
        )


def test_a_client_says_so(pooler: Pooler) -> None:
    client = DBOSClient(system_database_url=pooler.url)
    handle = client.enqueue({"workflow_name": "w", "queue_name": "nobody"})
    waiting = threading.Thread(target=lambda: _quietly(client, handle.workflow_id))
    waiting.start()
    eventually(lambda: [each for each in failing() if "behind_pooler" in each.error])
    client.destroy()
    waiting.join(20)


def _quietly(client: DBOSClient, workflow_id: str) -> None:
    with suppress(DBOSException):
        client.get_event(workflow_id, "never", timeout_seconds=60)


def test_the_doctor_finds_that_no_notice_arrives(pooler: Pooler) -> None:
    database = open_database(pooler.url)
    found = {each.name: each for each in notifications(database, is_replica=False)}
    database.close()
    assert "did not arrive" in found["notifications"].says
