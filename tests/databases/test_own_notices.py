"""A process does not receive its own notices, but those of all others. PostgreSQL only."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg

from dboshub.workflows.engine.waiting.notices import STATUS
from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.postgres import PostgresDatabase
from dboshub.workflows.storage.waiting.notifier import PostgresNotifier
from tests.support.eventually import eventually


@contextmanager
def notifier(
    url: str, *, behind_pooler: bool = False
) -> Iterator[tuple[PostgresNotifier, list[str]]]:
    """A notifier that listens, and what it hears."""
    database = open_database(url, behind_pooler=behind_pooler)
    assert isinstance(database, PostgresDatabase)
    made, heard = PostgresNotifier(database, url), list[str]()
    listens, over = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=made.listen,
        args=(listens.set, lambda channel, payload: heard.append(payload), over.is_set),
    )
    thread.start()
    try:
        assert listens.wait(30)
        yield made, heard
    finally:
        over.set()
        thread.join(30)
        made.close()
        database.close()


def test_notices_reach_all_but_their_sender(postgres_url: str) -> None:
    with ExitStack() as opened:
        one, heard_by_one = opened.enter_context(notifier(postgres_url))
        other, heard_by_other = opened.enter_context(notifier(postgres_url))
        one.send([(STATUS, "a"), (STATUS, "b")])
        other.send([(STATUS, "c")])
        eventually(lambda: heard_by_one == ["c"])
        one.send([(STATUS, "d")])
        eventually(lambda: heard_by_other == ["a", "b", "d"])
        assert heard_by_one == ["c"]


def test_a_notice_is_sent_although_the_connection_was_cut(postgres_url: str) -> None:
    with notifier(postgres_url) as (one, _), notifier(postgres_url) as (_, heard):
        one.send([(STATUS, "a")])
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(%s, 30000)", [one._sender_pid])
        one.send([(STATUS, "b")])
        eventually(lambda: heard == ["a", "b"])


def test_behind_a_pooler_no_notice_counts_as_own(postgres_url: str) -> None:
    with notifier(postgres_url, behind_pooler=True) as (one, heard):
        one.send([(STATUS, "a")])
        eventually(lambda: heard == ["a"])
