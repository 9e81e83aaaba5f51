"""Hears what PostgreSQL is told by NOTIFY. A hint says "look now"; nothing depends on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import psycopg
from psycopg import sql


def listen(
    url: str, channels: Iterable[str], on_hint: Callable[[], None], is_over: Callable[[], bool]
) -> None:
    """Call ``on_hint`` for every burst on these channels until it is over.

    Raises psycopg.Error when the connection is lost; the caller tries again when it likes.
    """
    with psycopg.connect(
        url, autocommit=True, application_name="dboshub-live", connect_timeout=10
    ) as connection:
        for channel in channels:
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        # Whatever was said before we listened has not been heard.
        on_hint()
        while not is_over():
            for _ in connection.notifies(timeout=1.0, stop_after=1):
                on_hint()
