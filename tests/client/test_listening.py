"""A client hears of what it waits for, on a connection that is open only meanwhile. PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from dboshub import DBOS, DBOSClient, DBOSConfig, SetWorkflowID
from dboshub.workflows.engine.waiting import listening
from dboshub.workflows.engine.waiting.wakeups import Wakeups
from tests.client.conftest import MakeClient
from tests.support.eventually import eventually

NEVER_S = 3_600.0
LISTENERS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dboshub-listener'"


@DBOS.workflow(name="listening.tells")
def tells() -> str:
    said: str = DBOS.recv("go", 60)
    DBOS.set_event("said", said)
    DBOS.write_stream("words", said)
    DBOS.recv("end", 60)
    return said


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


@pytest.fixture
def polls_never(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = Wakeups.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "poll_interval", NEVER_S)


@pytest.fixture
def listeners(launch: Callable[..., None], postgres_url: str) -> Iterator[Callable[[], int]]:
    """Launches; the number of connections that listen, but for that of the application."""
    launch()
    with psycopg.connect(postgres_url, autocommit=True) as connection:

        def count() -> int:
            database = " AND datname = current_database()"
            return int(connection.execute(LISTENERS + database).fetchall()[0][0]) - 1

        eventually(lambda: count() == 0)
        yield count


def in_background(wait: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(wait()), daemon=True)
    thread.start()
    return thread, found


def test_a_client_hears_of_an_event_a_value_and_a_result(
    polls_never: None, listeners: Callable[[], int], make_client: MakeClient
) -> None:
    client = make_client()
    with SetWorkflowID("tells"):
        DBOS.start_workflow(tells)
    waits: list[Callable[[], Any]] = [
        lambda: client.get_event("tells", "said", 60),
        lambda: next(client.read_stream("tells", "words")),
        lambda: client.retrieve_workflow("tells").get_result(),
    ]
    *early, last = [in_background(wait) for wait in waits]
    eventually(lambda: listeners() == 1)
    DBOS.send("tells", "hello", "go")
    for thread, found in early:
        thread.join(30)
        assert found == ["hello"]
    DBOS.send("tells", None, "end")
    last[0].join(30)
    assert last[1] == ["hello"]


def test_the_connection_is_open_while_somebody_waits(
    listeners: Callable[[], int], make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "KEPT_IDLE_S", 0.0)
    client = make_client()
    with SetWorkflowID("tells"):
        DBOS.start_workflow(tells)
    for number in range(2):
        waiting = [in_background(lambda: client.get_event("tells", "said", 60)) for _ in range(10)]
        if number == 0:
            eventually(lambda: listeners() == 1)
            DBOS.send("tells", "hello", "go")
        for thread, found in waiting:
            thread.join(30)
            assert found == ["hello"]
        eventually(lambda: listeners() == 0)
    DBOS.send("tells", None, "end")


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, 0), ({"use_listen_notify": True}, 1), ({"use_listen_notify": False}, 0)],
)
def test_without_a_wait_only_who_asks_for_it_listens(
    listeners: Callable[[], int],
    make_client: MakeClient,
    options: dict[str, Any],
    expected: int,
) -> None:
    client = make_client(**options)
    assert client.list_workflows() == []
    eventually(lambda: listeners() == expected)


@pytest.mark.parametrize("options", [{"use_listen_notify": False}, {"behind_pooler": True}])
def test_who_must_not_listen_polls(
    listeners: Callable[[], int], make_client: MakeClient, options: dict[str, Any]
) -> None:
    client = make_client(**options)
    with SetWorkflowID("tells"):
        DBOS.start_workflow(tells)
    thread, found = in_background(lambda: client.get_event("tells", "said", 60))
    eventually(lambda: client._client_context.engine.waits.pending())
    assert listeners() == 0
    DBOS.send("tells", "hello", "go")
    thread.join(30)
    assert found == ["hello"]
    DBOS.send("tells", None, "end")


def test_a_listener_ends_with_its_client(listeners: Callable[[], int], config: DBOSConfig) -> None:
    client = DBOSClient(system_database_url=config["system_database_url"])
    thread, _ = in_background(lambda: _quietly(client))
    eventually(lambda: listeners() == 1)
    client.destroy()
    thread.join(10)
    assert not thread.is_alive()
    eventually(lambda: listeners() == 0)


def _quietly(client: DBOSClient) -> None:
    with pytest.raises(Exception, match="destroyed"):
        client.get_event("nobody", "said", 60)
