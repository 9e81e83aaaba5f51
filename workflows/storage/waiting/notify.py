"""NOTIFY and LISTEN on PostgreSQL: hints between processes, on which correctness never depends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from psycopg import sql

from dboshub.workflows.storage.answers import KEEPALIVES, AnsweredConnection
from dboshub.workflows.storage.sql import Session, Statement

CHECK_EVERY_S = 20.0
MAX_PAYLOAD_BYTES = 7_999  # PostgreSQL's limit

# PostgreSQL only: on SQLite other processes notice the commit by polling.
NOTIFY = Statement(
    """
    SELECT pg_notify(channel, payload)
    FROM unnest(CAST(:channels AS text[]), CAST(:payloads AS text[])) AS n (channel, payload)
    """
)


def notify(session: Session, notices: Iterable[tuple[str, str]]) -> None:
    """Send (channel, payload) pairs. One that is too large is not sent: receivers poll, too."""
    sent = [each for each in notices if len(each[1].encode()) <= MAX_PAYLOAD_BYTES]
    if sent:
        session.all(
            NOTIFY,
            channels=[channel for channel, _ in sent],
            payloads=[payload for _, payload in sent],
        )


def listen(
    url: str,
    channels: Iterable[str],
    *,
    on_connected: Callable[[], None],
    on_notice: Callable[[str, str], None],
    is_over: Callable[[], bool],
) -> None:
    """Call `on_notice` for every notice on these channels until `is_over` returns True.

    `is_over` is called at least every 0.5 seconds. Raises psycopg.Error when the connection is
    lost, which a question every CHECK_EVERY_S finds out; the caller decides when to try again.
    """
    parameters = {**KEEPALIVES, "application_name": "dboshub-listener", "connect_timeout": 10}
    with AnsweredConnection.connect(url, autocommit=True, **parameters) as connection:
        for channel in channels:
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        # Notices that were sent before LISTEN are lost, so the caller must read the tables now.
        on_connected()
        checked_at = time.monotonic()
        while not is_over():
            if time.monotonic() - checked_at >= CHECK_EVERY_S:
                connection.execute("SELECT 1")
                checked_at = time.monotonic()
            for notice in connection.notifies(timeout=0.5):
                on_notice(notice.channel, notice.payload)
                if is_over():
                    return
