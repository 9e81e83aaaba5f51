"""NOTIFY and LISTEN on PostgreSQL: hints between processes, on which correctness never depends."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import psycopg
from psycopg import sql

from dboshub.workflows.engine.stored_json import stored_texts
from dboshub.workflows.storage.answers import KEEPALIVES, AnsweredConnection
from dboshub.workflows.storage.sql import Session, Statement

CHECK_EVERY_S = 20.0
# After a notice, so that those of many small commits wake the process together.
PAUSE_S = 0.002
PROBE, PROBE_S = "dboshub_probe", 2.0
BEHIND_POOLER = (
    "a pooler in transaction mode is before the server, and notices do not pass it: say so by "
    "behind_pooler (DBOSHUB_BEHIND_POOLER), or name a connection past it in listen_url "
    "(DBOSHUB_LISTEN_DSN)"
)
MAX_PAYLOAD_BYTES = 7_999  # PostgreSQL's limit
# On our own channels one notice carries many payloads, as a JSON list. Those of DBOS carry one.
OWN_CHANNELS = "dboshub_"

# PostgreSQL only: on SQLite other processes notice the commit by polling.
NOTIFY = Statement(
    """
    SELECT pg_notify(channel, payload)
    FROM unnest(CAST(:channels AS text[]), CAST(:payloads AS text[])) AS n (channel, payload)
    """
)


def notify(session: Session, notices: Iterable[tuple[str, str]]) -> None:
    """Send (channel, payload) pairs. One that is too large is not sent: receivers poll, too."""
    sent = [each for each in packed(notices) if len(each[1].encode()) <= MAX_PAYLOAD_BYTES]
    if sent:
        session.all(
            NOTIFY,
            channels=[channel for channel, _ in sent],
            payloads=[payload for _, payload in sent],
        )


def packed(notices: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The same in as few notices as can hold them; ``unpacked`` restores each."""
    own: dict[str, list[str]] = {}
    for channel, payload in notices:
        if channel.startswith(OWN_CHANNELS):
            own.setdefault(channel, []).append(payload)
        else:
            yield channel, payload
    for channel, payloads in own.items():
        if len(payloads) == 1 and not payloads[0].startswith("["):
            yield channel, payloads[0]
        else:
            yield from ((channel, each) for each in _lists(payloads))


def _lists(payloads: Iterable[str]) -> Iterator[str]:
    texts: list[str] = []
    size = 1
    for text in map(json.dumps, payloads):
        if texts and size + len(text) + 1 > MAX_PAYLOAD_BYTES:
            yield f"[{','.join(texts)}]"
            texts, size = [], 1
        texts.append(text)
        size += len(text) + 1
    yield f"[{','.join(texts)}]"


def unpacked(channel: str, payload: str) -> list[str]:
    """The payloads that a notice carries."""
    is_list = channel.startswith(OWN_CHANNELS) and payload.startswith("[")
    return (stored_texts(payload) if is_list else []) or [payload]


def listen(
    url: str,
    channels: Iterable[str],
    *,
    on_connected: Callable[[], None],
    on_notice: Callable[[str, str], None],
    is_over: Callable[[], bool],
    is_own: Callable[[int], bool] = lambda pid: False,
) -> None:
    """Call `on_notice` for every notice on these channels until `is_over` returns True.

    Notices from a server process that `is_own` are left out. `is_over` is called at least every
    0.5 seconds. Raises psycopg.Error when the connection is lost, which a question every
    CHECK_EVERY_S finds out, and NotSupportedError at once if a pooler in transaction mode is in
    between; the caller decides when to try again.
    """
    with _connect(url) as connection:
        if is_pooled(connection) and not _hears(connection, url):
            raise psycopg.NotSupportedError(BEHIND_POOLER)
        for channel in channels:
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        # Notices that were sent before LISTEN are lost, so the caller must read the tables now.
        on_connected()
        checked_at = time.monotonic()
        while not is_over():
            if time.monotonic() - checked_at >= CHECK_EVERY_S:
                connection.execute("SELECT 1")
                checked_at = time.monotonic()
            # It returns what has arrived once there is anything.
            notices = [*connection.notifies(timeout=0.5, stop_after=1)]
            for notice in notices:
                if not is_own(notice.pid):
                    for payload in unpacked(notice.channel, notice.payload):
                        on_notice(notice.channel, payload)
            if notices:
                time.sleep(PAUSE_S)


def is_pooled(connection: psycopg.Connection[Any]) -> bool:
    """Whether a pooler is in between: it answers the handshake with a process id of its own."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return bool(row and row[0] != connection.info.backend_pid)


def _hears(connection: AnsweredConnection, url: str) -> bool:
    """Whether a notice of another connection arrives; its own would through any pooler."""
    connection.execute(f"LISTEN {PROBE}")
    with _connect(url) as other:
        other.execute(f"NOTIFY {PROBE}")
    return bool([*connection.notifies(timeout=PROBE_S, stop_after=1)])


def _connect(url: str) -> AnsweredConnection:
    parameters = {**KEEPALIVES, "application_name": "dboshub-listener", "connect_timeout": 10}
    return AnsweredConnection.connect(url, autocommit=True, **parameters)
