"""NOTIFY and LISTEN: hints from process to process on PostgreSQL. Nothing depends on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import psycopg
from psycopg import sql

from dboshub.workflows.storage.sql import Session, Statement

PAYLOAD_BYTES = 7_999  # PostgreSQL's limit

# PostgreSQL only: on SQLite other processes see the commit itself.
NOTIFY = Statement(
    """
    SELECT pg_notify(channel, payload)
    FROM unnest(CAST(:channels AS text[]), CAST(:payloads AS text[])) AS n (channel, payload)
    """
)


def notify(session: Session, notices: Iterable[tuple[str, str]]) -> None:
    """Send (channel, payload) pairs; an oversized payload is left to the other side's poll."""
    told = [each for each in notices if len(each[1].encode()) <= PAYLOAD_BYTES]
    if told:
        session.all(
            NOTIFY,
            channels=[channel for channel, _ in told],
            payloads=[payload for _, payload in told],
        )


def listen(
    url: str,
    channels: Iterable[str],
    *,
    on_connected: Callable[[], None],
    on_notice: Callable[[str, str], None],
    is_over: Callable[[], bool],
) -> None:
    """Pass on every notice on these channels until it is over.

    Raises psycopg.Error when the connection is lost; the caller tries again when it likes.
    """
    with psycopg.connect(
        url, autocommit=True, application_name="dboshub-listener", connect_timeout=10
    ) as connection:
        for channel in channels:
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        # Whatever was said before we listened has not been heard.
        on_connected()
        while not is_over():
            for notice in connection.notifies(timeout=0.5):
                on_notice(notice.channel, notice.payload)
                if is_over():
                    return
