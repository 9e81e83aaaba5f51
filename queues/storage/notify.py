"""Notify other processes of enqueued workflows: for speed only, never for correctness."""

from __future__ import annotations

from collections.abc import Iterable

from dboshub.workflows.engine.waiting.notices import QUEUE
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.storage.waiting.notify import MAX_PAYLOAD_BYTES, notify


def announce(session: Session, names: Iterable[str]) -> None:
    """Send the names of queues that have new workflows.

    A name that is too long is sent as an empty one, which stands for all queues. On SQLite nothing
    is sent: other processes notice the commit by polling.
    """
    if session.vendor != "postgresql":
        return
    sent = {name if len(name.encode()) <= MAX_PAYLOAD_BYTES else "" for name in names}
    notify(session, [(QUEUE, name) for name in sorted(sent)])
