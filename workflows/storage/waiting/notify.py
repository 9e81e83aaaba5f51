"""NOTIFY and LISTEN on PostgreSQL: hints between processes, on which correctness never depends."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import psycopg
from psycopg import sql

from dboshub.workflows.storage.sql import Session, Statement

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
    lost; the caller decides when to try again.
    """
    with psycopg.connect(
        url, autocommit=True, application_name="dboshub-listener", connect_timeout=10
    ) as connection:
        for channel in channels:
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        # Notices that were sent before LISTEN are lost, so the caller must read the tables now.
        on_connected()
        while not is_over():
            for notice in connection.notifies(timeout=0.5):
                on_notice(notice.channel, notice.payload)
                if is_over():
                    return
