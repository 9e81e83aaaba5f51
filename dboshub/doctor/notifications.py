"""Whether notices reach a listener, and whether a pooler is in between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg

from dboshub.doctor.findings import Finding, note, ok, wrong
from dboshub.workflows.django_settings import is_behind_pooler, listen_url
from dboshub.workflows.storage.connection_errors import REACH_TIMEOUT_S, reason_of
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.database_urls import libpq_url
from dboshub.workflows.storage.postgres import PostgresDatabase
from dboshub.workflows.storage.waiting.notify import is_pooled

CHANNEL = "dboshub_doctor"
WAIT_S = 2.0
DIRECT = "Name a connection past the pooler in DBOSHUB_LISTEN_DSN."


def notifications(database: Database, *, is_replica: bool) -> Iterator[Finding]:
    """Send a notice to a channel that nobody else listens on, and wait for it."""
    if not isinstance(database, PostgresDatabase):
        yield ok("notifications", "SQLite has none: changes are found by looking at the file")
        return
    with _connect(database.url) as connection:
        pooled = is_pooled(connection)
    yield from _pooler(pooled)
    if is_replica:
        yield note("notifications", "a replica has none: pages and workers look every second")
        return
    url = libpq_url(listen_url()) if listen_url() else database.url
    problem = _undelivered(url)
    if not problem:
        yield ok("notifications", "LISTEN and NOTIFY work")
    elif pooled and not listen_url():
        yield note("notifications", f"{problem}: changes are found up to a second later", DIRECT)
    else:
        yield wrong("notifications", problem, DIRECT)


def _pooler(pooled: bool) -> Iterator[Finding]:
    if pooled and not is_behind_pooler():
        yield wrong(
            "pooler",
            "the server's process is not the one that was connected to, so a pooler is in between",
            "Set DBOSHUB_BEHIND_POOLER=1, so that workers prepare no statements.",
        )
    elif pooled or is_behind_pooler():
        yield ok("pooler", "expected" if pooled else "expected, and none was met")
    else:
        yield ok("pooler", "none")


def _undelivered(url: str) -> str:
    """Why a notice of another connection does not arrive; empty if it does."""
    try:
        with _connect(url) as connection, _connect(url) as other:
            connection.execute(f"LISTEN {CHANNEL}")
            other.execute(f"NOTIFY {CHANNEL}, 'here'")
            arrived = [*connection.notifies(timeout=WAIT_S, stop_after=1)]
    except psycopg.Error as error:
        return reason_of(error)
    return "" if arrived else "a notice did not arrive"


def _connect(url: str) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(url, autocommit=True, connect_timeout=REACH_TIMEOUT_S)
