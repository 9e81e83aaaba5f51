"""Telling other processes that a queue has work. Never needed for correctness, only for speed."""

from __future__ import annotations

from collections.abc import Iterable

from dboshub.workflows.storage.sql import Session, Statement

CHANNEL = "dboshub_queue"
PAYLOAD_BYTES = 7_999  # PostgreSQL's limit

ANNOUNCE = Statement(
    postgres=f"SELECT pg_notify('{CHANNEL}', name) FROM unnest(CAST(:names AS text[])) AS name",
    # Other processes see the commit itself.
    sqlite="SELECT 1 WHERE :names IS NULL",
)


def announce(session: Session, names: Iterable[str]) -> None:
    """Name the queues that have new work; an oversized name means "look at all"."""
    told = {name if len(name.encode()) <= PAYLOAD_BYTES else "" for name in names}
    if told:
        session.all(ANNOUNCE, names=session.ids(sorted(told)))
