"""Who has to hear of a durable write: local waiters at once, other processes a moment later.

PostgreSQL lets only one transaction that notifies commit at a time, so notices are sent outside
the hot transactions and many together. Nothing depends on their arrival.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from dboshub.workflows.engine.journal.writes import (
    BulkSendWrite,
    EventWrite,
    OutcomeWrite,
    SendWrite,
    StartWrite,
    StreamWrite,
    Write,
)
from dboshub.workflows.engine.waiting.waits import Waits

# The contract's channels, and two of the hub's own.
MESSAGES = "dbos_notifications_channel"
EVENTS = "dbos_workflow_events_channel"
STREAMS = "dbos_streams_channel"
STATUS = "dboshub_status"
QUEUE = "dboshub_queue"

NULL_TOPIC = "__null__topic__"
COALESCE_S = 0.01
Notice = tuple[str, str]
_KINDS = {MESSAGES: "message", EVENTS: "event", STREAMS: "stream", STATUS: "result"}


def message_key(workflow_id: str, topic: str | None) -> str:
    return f"{workflow_id}::{NULL_TOPIC if topic is None else topic}"


class Notices:
    """Collects what to tell other processes; a thread of the lifecycle sends it."""

    def __init__(self, waits: Waits) -> None:
        self._waits = waits
        self._lock = threading.Lock()
        self._pending: dict[Notice, None] = {}
        self._there = threading.Event()
        self.has_sender = False  # nothing is kept for a sender that is not there
        self.after_commit: Callable[[Callable[[], None]], None] = lambda callback: callback()
        self.on_enqueued: Callable[[str, bool], None] = lambda queue_name, is_local: None
        self.on_status: Callable[[str], None] = lambda workflow_id: None

    def durable(self, writes: Sequence[Write]) -> None:
        """Called by the journal after each commit."""
        notices = [notice for write in _each(writes) if (notice := _notice(write)) is not None]
        if notices:
            self.publish(notices)

    def publish(self, notices: Iterable[Notice]) -> None:
        """Wake local waiters; tell other processes within COALESCE_S.

        At once, or when the transaction that this thread has open is committed.
        """
        listed = [*notices]
        self.after_commit(lambda: self._publish(listed))

    def _publish(self, notices: list[Notice]) -> None:
        for channel, payload in notices:
            self._tell(channel, payload, is_local=True)
        if self.has_sender:
            with self._lock:
                self._pending.update(dict.fromkeys(notices))
            self._there.set()

    def receive(self, channel: str, payload: str) -> None:
        """Hear a notice from another process, or one's own come back."""
        self._tell(channel, payload, is_local=False)

    def _tell(self, channel: str, payload: str, *, is_local: bool) -> None:
        if channel == QUEUE:
            self.on_enqueued(payload, is_local)
        elif channel == STATUS:
            self._waits.wake("result", payload)
            self.on_status(payload)
        elif channel in _KINDS:
            self._waits.wake(_KINDS[channel], payload)

    def take(self, timeout: float) -> list[Notice]:
        """What is to be sent, waiting up to `timeout` seconds for something."""
        if self._there.wait(timeout):
            with self._lock:
                self._there.clear()
                pending, self._pending = [*self._pending], {}
                return pending
        return []

    def wake_sender(self) -> None:
        self._there.set()


def _each(writes: Sequence[Write]) -> Iterator[Write]:
    for write in writes:
        if isinstance(write, BulkSendWrite):
            yield from (*write.sends, *write.copies)
        else:
            yield write


def _notice(write: Write) -> Notice | None:
    match write:
        case SendWrite():
            return MESSAGES, message_key(write.destination, write.topic)
        case EventWrite():
            return EVENTS, f"{write.workflow_id}::{write.key}"
        case StreamWrite():
            return STREAMS, f"{write.workflow_id}::{write.key}"
        case OutcomeWrite():
            return STATUS, write.workflow_id
        case StartWrite() if write.row.status == "ENQUEUED" and write.row.queue_name:
            return QUEUE, write.row.queue_name
    return None
