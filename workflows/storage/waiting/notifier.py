"""The notices of a process on PostgreSQL: one connection sends them, another one listens."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import psycopg

from dboshub.workflows.engine.waiting.notices import (
    EVENTS,
    MESSAGES,
    QUEUE,
    STATUS,
    STREAMS,
    Notice,
)
from dboshub.workflows.storage.own_connection import OwnConnection
from dboshub.workflows.storage.postgres import PostgresDatabase
from dboshub.workflows.storage.waiting import notify

CHANNELS = (MESSAGES, EVENTS, STREAMS, STATUS, QUEUE)


class PostgresNotifier:
    """Sends and receives notices. What it sent itself it does not receive: that is known here."""

    def __init__(self, database: PostgresDatabase, listen_url: str) -> None:
        """`listen_url` leads to the server itself: a pooler in transaction mode cannot LISTEN."""
        self._sender = OwnConnection(database.connect)
        self._sender_pid: int | None = None
        self._listen_url = listen_url

    def send(self, notices: Sequence[Notice]) -> None:
        """Send notices to all processes that listen on the database."""
        try:
            self._send(notices)
        except psycopg.OperationalError:
            self._send(notices)  # the connection may have been cut since the last notice

    def _send(self, notices: Sequence[Notice]) -> None:
        with self._sender.use() as connection:
            self._sender_pid = connection.pid
            notify.notify(connection.session, notices)

    def listen(
        self,
        on_connected: Callable[[], None],
        on_notice: Callable[[str, str], None],
        is_over: Callable[[], bool],
    ) -> None:
        """Pass notices on until `is_over`. Raises when the connection is lost."""
        notify.listen(
            self._listen_url,
            CHANNELS,
            on_connected=on_connected,
            on_notice=on_notice,
            is_over=is_over,
            is_own=lambda pid: pid == self._sender_pid,
        )

    def close(self) -> None:
        """Close the connection that sends; no thread sends any more."""
        self._sender.close()
