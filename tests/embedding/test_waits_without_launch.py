"""A Django process that launches nothing hears of what it waits for, where the server can tell."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from dboshub import DBOS, SetWorkflowID
from dboshub.runtime.django_client import process_client
from dboshub.workflows.django_client_engine import DjangoClientEngine
from dboshub.workflows.engine.current_engine import using_client
from dboshub.workflows.engine.waiting import wait_listener, wait_poller
from tests.embedding.test_without_launch import project, work
from tests.support.eventually import eventually
from tests.support.ports import free_port

__all__ = ["project", "work"]

pytestmark = pytest.mark.django_db(transaction=True)

only_on_postgres = pytest.mark.skipif(
    "connection.vendor == 'sqlite'", reason="SQLite has no NOTIFY"
)

NEVER_S = 3_600.0
LISTENERS = """
    SELECT count(*)
    FROM pg_stat_activity
    WHERE application_name = 'dboshub-listener' AND datname = current_database()
"""


@DBOS.workflow()
def tells_without_launch() -> str:
    said: str = DBOS.recv("go", 60)
    DBOS.set_event("said", said)
    DBOS.write_stream("words", said)
    DBOS.recv("end", 60)
    return said


@pytest.fixture
def waits(work: Callable[[], None]) -> Iterator[Callable[[Callable[[], Any]], Waiting]]:
    """Waits on threads, as a web process does; a worker in this process runs the workflow."""
    with SetWorkflowID("tells"):
        DBOS.start_workflow(tells_without_launch)
    context, begun = process_client.client().context, []
    work()

    def wait(call: Callable[[], Any]) -> Waiting:
        begun.append(Waiting(call, context))
        return begun[-1]

    yield wait
    DBOS.send("tells", "over", "end")
    for each in begun:
        each.join(20)


class Waiting(threading.Thread):
    """A call that waits, and what it found."""

    def __init__(self, call: Callable[[], Any], context: Any) -> None:
        super().__init__(daemon=True)
        self.found: list[Any] = []
        self._call, self._context = call, context
        self.start()

    def run(self) -> None:
        try:
            with using_client(self._context):
                self.found.append(self._call())
        finally:
            connection.close()


def client() -> DjangoClientEngine:
    return process_client.client().engine


def said() -> Any:
    return DBOS.get_event("tells", "said", timeout_seconds=60)


def listeners() -> int:
    """How many connections listen, but for that of the worker."""
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute(LISTENERS)
        return int(cursor.fetchone()[0]) - 1


@only_on_postgres
def test_an_event_a_value_and_a_result_arrive_without_a_poll(
    waits: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wait_poller, "MAX_PAUSE_S", NEVER_S)
    first = waits(said)
    eventually(client()._listener.is_connected)
    polls: list[None] = []
    poll = client().waits.poll

    def counted(store: Any) -> int:
        polls.append(None)
        return poll(store)

    monkeypatch.setattr(client().waits, "poll", counted)
    more = [
        waits(said),
        waits(lambda: next(DBOS.read_stream("tells", "words"))),
        waits(lambda: DBOS.get_result("tells")),
    ]
    eventually(lambda: len(client().waits) == 4)
    assert listeners() == 1
    DBOS.send("tells", "hello", "go")
    for each in (first, *more[:2]):
        each.join(20)
        assert each.found == ["hello"]
    DBOS.send("tells", "over", "end")
    more[2].join(20)
    assert more[2].found == ["hello"]
    assert len(polls) <= 1  # that which was due when the connection came


def test_the_connection_is_open_while_somebody_waits(
    waits: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = int(connection.vendor == "postgresql")
    monkeypatch.setattr(wait_listener, "KEPT_IDLE_S", 0.0)
    assert listeners() == 0
    waiting = [waits(said) for _ in range(5)]
    eventually(lambda: len(client().waits) == 5 and listeners() == expected)
    DBOS.send("tells", "hello", "go")
    for each in waiting:
        each.join(20)
        assert each.found == ["hello"]
    eventually(lambda: listeners() == 0)
    eventually(lambda: client()._listener._thread is None)


def test_what_is_there_already_is_waited_for_without_a_connection(waits: Any) -> None:
    DBOS.send("tells", "hello", "go")
    eventually(lambda: DBOS.get_event("tells", "said", timeout_seconds=0) == "hello")
    found = waits(said)
    found.join(20)
    assert found.found == ["hello"]
    assert client()._listener._thread is None


@pytest.mark.parametrize("how", ["pooler", "configuration"])
def test_who_must_not_listen_polls(waits: Any, settings: Any, how: str) -> None:
    if how == "pooler":
        settings.DBOSHUB_BEHIND_POOLER = True
    else:
        settings.DBOS_CONFIG = {**settings.DBOS_CONFIG, "use_listen_notify": False}
    waiting = waits(said)
    eventually(lambda: client().waits.pending())
    DBOS.send("tells", "hello", "go")
    waiting.join(20)
    assert waiting.found == ["hello"]
    assert client()._listener._thread is None


@only_on_postgres
def test_who_cannot_listen_polls_and_says_so(waits: Any, settings: Any) -> None:
    settings.DBOSHUB_LISTEN_DSN = f"postgresql://nobody@127.0.0.1:{free_port()}/nowhere"
    waiting = waits(said)
    eventually(lambda: client()._listener._failures.state)
    DBOS.send("tells", "hello", "go")
    waiting.join(20)
    assert waiting.found == ["hello"]
